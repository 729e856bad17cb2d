import { randomBytes } from "node:crypto";
import { readFileSync, rmSync } from "node:fs";
import { Failure } from "../../contract/failures.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import { requireEnded } from "../host/ended.ts";
import { CommandNotFound } from "../host/exec.ts";
import { onMachine, ownFolder, writeOwn } from "../host/files.ts";
import type { Machine } from "../host/machine.ts";
import { type SignedText, splitClearsigned } from "./clearsigned.ts";
import { dearmorIfNeeded, type Keyring } from "./keyring.ts";
import { issuersOf, listKeys } from "./openpgp.ts";
import { gpgvProblem, sqvProblem } from "./signature-problem.ts";

/** Programs that check an OpenPGP signature, in order of preference: Debian 13 has sqv where it has no gpgv. */
export const VERIFIERS = ["gpgv", "sqv"] as const;
export type Verifier = (typeof VERIFIERS)[number];

/**
 * Has gpgv or sqv verify a Release file, and returns the text that was signed. Of an InRelease file the signed text is taken out
 * first: what is verified is what is returned, and nothing else of the file is ever read.
 * @param among programs to try; the first that is installed is asked
 * @throws Failure `signatureInvalid` with what is wrong; `toolMissing` without either program
 */
export async function verifiedRelease(
  machine: Machine,
  files: { readonly release: string; readonly signature: string | null },
  keyring: Keyring,
  among: readonly Verifier[] = VERIFIERS,
): Promise<string> {
  const signed = readSigned(machine, files);
  const scratch = `${HOST_PATHS.state}/verify-${randomBytes(6).toString("hex")}`;
  ownFolder(machine, HOST_PATHS.state, 0o700);
  ownFolder(machine, scratch, 0o700);
  try {
    writeOwn(machine, `${scratch}/keyring.gpg`, keyring.packets, 0o600);
    writeOwn(machine, `${scratch}/text`, signed.text, 0o600);
    writeOwn(machine, `${scratch}/signature`, signed.signature, 0o600);
    const problem = await askFirst(machine, scratch, { signed, keyring }, among);
    if (problem !== null) throw new Failure("signatureInvalid", `${files.release}: ${problem}`);
    const text = signed.text.toString("utf8");
    return text.endsWith("\n") ? text : `${text}\n`;
  } finally {
    rmSync(onMachine(machine, scratch), { recursive: true, force: true });
  }
}

function readSigned(machine: Machine, { release, signature }: Parameters<typeof verifiedRelease>[1]): SignedText {
  const text = readFileSync(onMachine(machine, release));
  if (signature !== null) return { text, signature: readFileSync(onMachine(machine, signature)) };
  const split = splitClearsigned(text);
  if (typeof split === "string") throw new Failure("signatureInvalid", `${release}: ${split}`);
  return split;
}

interface Case {
  readonly signed: SignedText;
  readonly keyring: Keyring;
}

async function askFirst(machine: Machine, scratch: string, one: Case, among: readonly Verifier[]) {
  for (const verifier of among) {
    try {
      return await ASK[verifier](machine, onMachine(machine, scratch), one);
    } catch (error) {
      if (!(error instanceof CommandNotFound)) throw error;
    }
  }
  throw new Failure("toolMissing", `neither ${among.join(" nor ")} is installed: apt-get install ${among[0]}`);
}

/** Each answers in words what is wrong; null when nothing is. */
const ASK: Readonly<Record<Verifier, (machine: Machine, at: string, one: Case) => Promise<string | null>>> = {
  gpgv: async (machine, at, { keyring }) => {
    const args = ["--homedir", at, "--status-fd", "1", "--keyring", `${at}/keyring.gpg`];
    const result = await machine.exec("gpgv", [...args, `${at}/signature`, `${at}/text`], { deadlineMs: 60_000 });
    return gpgvProblem(requireEnded(result).stdout, keyring.fingerprints);
  },
  sqv: async (machine, at, { signed, keyring }) => {
    const args = ["--verbose", "--keyring", `${at}/keyring.gpg`, `${at}/signature`, `${at}/text`];
    const { exitCode, stdout, stderr } = requireEnded(await machine.exec("sqv", args, { deadlineMs: 60_000 }));
    try {
      const said = { keys: listKeys(keyring.packets), issuers: issuersOf(dearmorIfNeeded(signed.signature)) };
      return sqvProblem({ exitCode, stdout, stderr, ...said }, keyring.fingerprints, machine.clock.now());
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      return `its keyring or its signature cannot be read: ${error.message}`;
    }
  },
};
