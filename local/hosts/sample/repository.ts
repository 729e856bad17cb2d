import { createHash } from "node:crypto";
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { exec } from "../../../agent/host/exec.ts";
import { buildDeb, controlFields } from "./deb.ts";
import { debName, type SamplePackage } from "./package.ts";
import { SAMPLE_PACKAGES } from "./packages.ts";
import { serveFolder } from "./server.ts";
import { openSigner, type Signer } from "./signing.ts";

export const SAMPLE_SUITE = "stable";
const VALID_MS = 7 * 24 * 3_600_000;

/** A signed apt repository on this machine, in the layout apt expects. */
export interface SampleRepository {
  readonly folder: string;
  /** `http://127.0.0.1:PORT/`, of a mirror with its path. */
  readonly url: string;
  /** Path of the public key, binary, for Signed-By. */
  readonly keyring: string;
  /** What it held when it was opened. */
  readonly packages: readonly SamplePackage[];
  /** Holds these and nothing else from now on, signed by the same key. @throws HostsFailure `commandFailed` */
  publish(packages: readonly SamplePackage[], date: Date): Promise<void>;
  close(): Promise<void>;
}

/** Which repository is copied by mirrors, each at an address of its own; what is published to one of them the others do not show. */
export interface MirroredRepository extends SampleRepository {
  /** As it is now. It is gone when the repository closes. */
  mirror(name: string): Promise<SampleRepository>;
}

export interface SampleRepositoryOptions {
  /** Empty or new folder; removed on close. */
  readonly folder: string;
  /** @default SAMPLE_PACKAGES */
  readonly packages?: readonly SamplePackage[];
  /** Date of the Release file; it is valid for seven days. */
  readonly date: Date;
}

/** Builds, signs and serves it. @throws HostsFailure `commandFailed`, `toolMissing` */
export async function openSampleRepository(options: SampleRepositoryOptions): Promise<MirroredRepository> {
  const { folder, date, packages = SAMPLE_PACKAGES } = options;
  mkdirSync(folder, { recursive: true });
  const keyring = join(folder, "sample-repository.gpg");
  const signer = await openSigner(exec, keyring);
  const at = (path: string, url: string): Omit<SampleRepository, "close"> => ({
    folder: path,
    url,
    keyring,
    packages,
    publish: (some, when) => publish(path, some, when, signer),
  });
  await publish(folder, packages, date, signer);
  const server = await serveFolder(folder);
  return {
    ...at(folder, server.url),
    mirror: async (name) => {
      const path = join(folder, "mirrors", name);
      for (const part of ["pool", "dists"]) cpSync(join(folder, part), join(path, part), { recursive: true });
      return { ...at(path, `${server.url}mirrors/${name}/`), close: async () => {} };
    },
    close: async () => {
      await server.close();
      signer.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** As an archive does: what is new first, then the indexes that name it, and only then is gone what they no longer name. */
async function publish(folder: string, packages: readonly SamplePackage[], date: Date, signer: Signer): Promise<void> {
  const pool = join(folder, "pool");
  const suite = join(folder, "dists", SAMPLE_SUITE);
  const architecture = debianArchitecture();
  const index = join(suite, "main", `binary-${architecture}`);
  for (const path of [pool, index]) mkdirSync(path, { recursive: true });
  const work = join(folder, "work");
  const stanzas = await Promise.all(
    packages.map(async (one, number) => {
      const deb = await buildDeb(exec, one, join(work, String(number)), pool);
      return `${controlFields(one)}${fileFields(folder, deb)}\n`;
    }),
  );
  rmSync(work, { recursive: true, force: true });
  const list = Buffer.from(stanzas.join(""));
  writeFileSync(join(index, "Packages"), list);
  writeFileSync(join(index, "Packages.gz"), gzipSync(list));
  writeFileSync(join(suite, "Release"), release(suite, architecture, date));
  await signer.sign(suite);
  const held = new Set(packages.map(debName));
  for (const name of readdirSync(pool)) if (!held.has(name)) rmSync(join(pool, name));
}

function fileFields(folder: string, deb: string): string {
  const bytes = readFileSync(deb);
  const hash = (name: string) => createHash(name).update(bytes).digest("hex");
  return `Filename: ${deb.slice(folder.length + 1)}\nSize: ${bytes.length}\nMD5sum: ${hash("md5")}\nSHA256: ${hash("sha256")}\n`;
}

function release(suite: string, architecture: string, date: Date): string {
  const files = [`main/binary-${architecture}/Packages`, `main/binary-${architecture}/Packages.gz`].map((path) => {
    const bytes = readFileSync(join(suite, path));
    return ` ${createHash("sha256").update(bytes).digest("hex")} ${bytes.length} ${path}\n`;
  });
  return (
    `Origin: AutoPatch sample\nLabel: AutoPatch sample\nSuite: ${SAMPLE_SUITE}\nCodename: ${SAMPLE_SUITE}\n` +
    `Date: ${date.toUTCString().replace("GMT", "UTC")}\nValid-Until: ${new Date(date.getTime() + VALID_MS).toUTCString().replace("GMT", "UTC")}\n` +
    `Architectures: ${architecture}\nComponents: main\nSHA256:\n${files.join("")}`
  );
}

/** Debian's name for this machine's architecture. */
export function debianArchitecture(): string {
  return process.arch === "x64" ? "amd64" : process.arch;
}
