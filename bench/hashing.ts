import { lstatSync, readdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { exec } from "../agent/host/exec.ts";
import { fileDigest } from "../agent/host/file-digest.ts";
import { median, type Row } from "./row.ts";

const RUNS = 3;
const MOST_FILES = 5_000;
const MOST_BYTES = 200_000_000;

/** SHA-256 over the files of this machine's /usr/share, about as many as a backup holds: ours against openssl on all cores. */
export async function compareHashing(): Promise<Row[]> {
  const { files, bytes } = someFiles("/usr/share");
  const list = files.map((file) => `${file}\0`).join("");
  const cores = String(availableParallelism());
  const ours: number[] = [];
  const openssl: number[] = [];
  // Once before it is measured, so that both read from memory.
  for (const file of files) fileDigest(file);
  for (let run = 0; run < RUNS; run++) {
    const from = performance.now();
    for (const file of files) fileDigest(file);
    ours.push(performance.now() - from);
    const each = String(Math.ceil(files.length / availableParallelism() / 4));
    const peer = await exec("xargs", ["-0", "-P", cores, "-n", each, "openssl", "dgst", "-sha256"], {
      input: list,
      deadlineMs: 120_000,
    });
    if (peer.exitCode !== 0) throw new Error(`openssl dgst: ${peer.stderr.slice(-400)}`);
    openssl.push(peer.durationMs);
  }
  const speed = (milliseconds: readonly number[]) => bytes / 1_000 / median(milliseconds);
  return [
    {
      what: `SHA-256 of ${files.length} files, ${Math.round(bytes / 1e6)} MB`,
      unit: "MB/s",
      ours: speed(ours),
      peer: { name: `openssl dgst, ${cores} cores`, value: speed(openssl) },
      aim: { of: "ratio", at: "least", value: 0.9 },
    },
  ];
}

/** Files of every size but the largest, up to what the backup of a small server holds. */
function someFiles(folder: string): { files: string[]; bytes: number } {
  const files: string[] = [];
  let bytes = 0;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = join(entry.parentPath, entry.name);
    const { size } = lstatSync(file);
    if (size > 4_000_000) continue;
    files.push(file);
    bytes += size;
    if (files.length === MOST_FILES || bytes > MOST_BYTES) break;
  }
  return { files, bytes };
}
