import { readFileSync } from "node:fs";
import { type Base, hostKeyring } from "./base.ts";
import { writeInside } from "./inside.ts";
import { SAMPLE_SUITE, type SampleRepository } from "./sample/repository.ts";

/** Where a host's packages come from. */
export type PackageSource = "debian" | "sample";

const SAMPLE_KEYRING = "/etc/apt/keyrings/autopatch-sample.gpg";

/** A deb822 source as a host has it. Pure. */
export function debianSources(base: Base): string {
  const keyring = hostKeyring(base.archive);
  return (
    stanza(base.archive.mirror, base.suite, keyring) +
    "\n" +
    stanza(base.archive.security, `${base.suite}-security`, keyring)
  );
}

/** The source of the sample repository as a host has it. Pure. */
export function sampleSources(repository: Pick<SampleRepository, "url">): string {
  return stanza(repository.url, SAMPLE_SUITE, SAMPLE_KEYRING);
}

function stanza(uri: string, suite: string, keyring: string): string {
  return `Types: deb\nURIs: ${uri}\nSuites: ${suite}\nComponents: main\nSigned-By: ${keyring}\n`;
}

/** Gives a host its sources, their keyrings and the machine's way to the mirror. Nothing is fetched: the host runs apt-get update itself. */
export function writeSources(
  root: string,
  base: Base,
  sources: readonly PackageSource[],
  repository: SampleRepository | undefined,
): void {
  const access = ['Acquire::Languages "none";', ...base.archive.access];
  writeInside(root, "/etc/apt/apt.conf.d/90machine", `${access.join("\n")}\n`);
  if (sources.includes("debian")) writeInside(root, "/etc/apt/sources.list.d/debian.sources", debianSources(base));
  if (sources.includes("sample") && repository !== undefined) {
    writeInside(root, SAMPLE_KEYRING, readFileSync(repository.keyring));
    writeInside(root, "/etc/apt/sources.list.d/autopatch-sample.sources", sampleSources(repository));
  }
}
