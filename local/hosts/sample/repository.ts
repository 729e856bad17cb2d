import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { exec } from "../../../agent/host/exec.ts";
import { buildDeb, controlFields } from "./deb.ts";
import type { SamplePackage } from "./package.ts";
import { SAMPLE_PACKAGES } from "./packages.ts";
import { serveFolder } from "./server.ts";
import { signRelease } from "./signing.ts";

export const SAMPLE_SUITE = "stable";
const VALID_MS = 7 * 24 * 3_600_000;

/** A signed apt repository on this machine, in the layout apt expects. */
export interface SampleRepository {
  readonly folder: string;
  /** `http://127.0.0.1:PORT/` */
  readonly url: string;
  /** Path of the public key, binary, for Signed-By. */
  readonly keyring: string;
  readonly packages: readonly SamplePackage[];
  close(): Promise<void>;
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
export async function openSampleRepository(options: SampleRepositoryOptions): Promise<SampleRepository> {
  const { folder, date, packages = SAMPLE_PACKAGES } = options;
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
  const keyring = join(folder, "sample-repository.gpg");
  await signRelease(exec, suite, keyring);
  const server = await serveFolder(folder);
  return {
    folder,
    url: server.url,
    keyring,
    packages,
    close: async () => {
      await server.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
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
