import { HOST_PATHS } from "../../contract/names.ts";
import { CONFIG_KEYS, ENVIRONMENT_KEYS } from "../host/config.ts";
import { type Call, type Declaration, exitsOf, flagSyntax, usageOf } from "../programs/declaration.ts";
import { configKeys } from "./default-config.ts";

/** A manual page in roff, by its file name. */
export interface ManualPage {
  readonly name: string;
  readonly text: string;
}

/** Every program's page, that of `autopatch` itself with its inner programs, and that of the configuration. */
export function manualPages(declarations: readonly Declaration[], version: string, date: string): ManualPage[] {
  const head = (title: string, section: number) =>
    `.TH ${quote(title.toUpperCase())} ${section} ${quote(date)} ${quote(`AutoPatch ${version}`)} "System Administration"\n.nh\n.ad l\n`;
  const linked = declarations.filter(({ name }) => !name.startsWith("autopatch "));
  const inner = declarations.filter(({ name }) => name.startsWith("autopatch "));
  const see = (self: string) =>
    ["autopatch(8)", ...linked.map(({ name }) => `${name}(8)`), "autopatch.conf(5)"].filter(
      (one) => !one.startsWith(self),
    );
  return [
    ...linked.map((one) => ({
      name: `${one.name}.8`,
      text: head(one.name, 8) + programPage(one, see(`${one.name}(`)),
    })),
    { name: "autopatch.8", text: head("autopatch", 8) + ownPage(linked, inner, see("autopatch(")) },
    { name: "autopatch.conf.5", text: head("autopatch.conf", 5) + configPage(see("autopatch.conf(")) },
  ];
}

function programPage(declaration: Declaration, see: readonly string[]): string {
  const { name, summary, about, flags, verbs, files } = declaration;
  const calls = verbs === undefined ? [[name, declaration] as const] : verbCalls(declaration);
  return [
    section("NAME", `${text(name)} \\- ${text(summary)}`),
    section("SYNOPSIS", calls.flatMap(([called, call]) => synopsis(called, call)).join("\n")),
    section("DESCRIPTION", text(about)),
    ...(Object.keys(flags).length === 0 ? [] : [section("OPTIONS", options(flags))]),
    ...(verbs === undefined ? [] : [section("COMMANDS", verbCalls(declaration).map(verbText).join("\n"))]),
    ...(files === undefined ? [] : [section("FILES", files.map(([path, what]) => item(path, what)).join("\n"))]),
    section("EXIT STATUS", exits(declaration)),
    section("SEE ALSO", text(see.join(", "))),
  ].join("\n");
}

function ownPage(linked: readonly Declaration[], inner: readonly Declaration[], see: readonly string[]): string {
  const about = [
    "AutoPatch patches this host so that it can return to exactly what it was.",
    "It is one executable with many programs; each is called by the name that scripts know, or as the first argument.",
  ];
  const every = { exits: [...new Set([...linked, ...inner].flatMap((one) => one.exits))] };
  return [
    section("NAME", "autopatch \\- canary\\-proven, exactly reversible patching of this host"),
    section(
      "SYNOPSIS",
      synopsis("autopatch", { about: "", flags: {}, usage: ["PROGRAM [ARGUMENT]...", "--version", "--help"] }).join(
        "\n",
      ),
    ),
    section("DESCRIPTION", text(about.join(" "))),
    section("PROGRAMS", linked.map(({ name, summary }) => item(name, `${summary}; see ${name}(8)`)).join("\n")),
    section(
      "INNER PROGRAMS",
      inner.map((one) => [item(one.name, `${one.summary}. ${one.about}`), options(one.flags)].join("\n")).join("\n"),
    ),
    section("EXIT STATUS", exits(every)),
    section("SEE ALSO", text(see.join(", "))),
  ].join("\n");
}

function configPage(see: readonly string[]): string {
  const about = [
    "One KEY=VALUE a line; quotes around a value are optional, lines that begin with # are comments.",
    "The file must belong to root and be writable by root alone. An unknown key or a wrong value is named with its line, and nothing is done.",
    "Every key is optional; what stands after the equals sign here is its default.",
  ];
  const keys = configKeys().map(({ name, description, written, hasDefault }) =>
    item(`${name}=${written}`, hasDefault ? description : `${description} An example; there is no default.`),
  );
  const environment = ENVIRONMENT_KEYS.filter((key) => key in CONFIG_KEYS);
  return [
    section("NAME", "autopatch.conf \\- configuration of AutoPatch on this host"),
    section("SYNOPSIS", text(HOST_PATHS.config)),
    section("DESCRIPTION", text(about.join(" "))),
    section("KEYS", keys.join("\n")),
    section(
      "ENVIRONMENT",
      text(`${environment.join(", ")}, when set, stand over the file. No other key is read from the environment.`),
    ),
    section("SEE ALSO", text(see.join(", "))),
  ].join("\n");
}

function verbCalls({ name, verbs = {} }: Declaration): [string, Call][] {
  return Object.entries(verbs).map(([verb, call]) => [`${name} ${verb}`, call]);
}

function verbText([called, call]: readonly [string, Call]): string {
  return `.SS ${quote(called.slice(called.indexOf(" ") + 1))}\n${text(call.about)}\n${options(call.flags)}`;
}

function synopsis(called: string, call: Call): string[] {
  return usageOf(call).map((usage) => `.PP\n.B ${quote(called)}\n${text(usage)}`);
}

function options(flags: Call["flags"]): string {
  return Object.entries(flags)
    .map(([name, flag]) => item(flagSyntax(name, flag), flag.meaning))
    .join("\n");
}

function exits(declaration: Pick<Declaration, "exits">): string {
  return exitsOf(declaration)
    .map(([code, meaning]) => item(String(code), meaning))
    .join("\n");
}

function section(title: string, body: string): string {
  return `.SH ${quote(title)}\n${body}\n`;
}

function item(term: string, meaning: string): string {
  return `.TP\n.B ${quote(term)}\n${text(meaning)}`;
}

/** Plain text as roff takes it: nothing in it is a request, a dash is the one that can be pasted into a shell, and long paths may break at a slash. */
function text(plain: string): string {
  return roff(plain).replace(/^(?=[.'])/gm, "\\&");
}

function quote(plain: string): string {
  return `"${roff(plain).replaceAll('"', "\\(dq")}"`;
}

function roff(plain: string): string {
  return plain
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replace(/[/=](?=.)/g, "$&\\:");
}
