import crypto from "node:crypto";
import fs from "node:fs";
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import * as z from "zod";
import type { AlteredFile } from "../../contract/audit.ts";
import type { PackagedFile } from "./dpkg-database.ts";
import { onMachine } from "./files.ts";
import type { Machine } from "./machine.ts";

/** Index of a line, and what is wrong with its file. */
type Wrong = [number, AlteredFile["what"]];
const Found = z.array(z.tuple([z.int(), z.enum(["content", "missing", "type", "unreadable"])]));

/**
 * Reads files and holds them against their MD5 sums, taking the next ones by a counter that threads share, so that one with large
 * files leaves the small ones to the others. Links are not followed. Other threads run the text of this very function, because a
 * thread of a single executable has no file to start from: it uses its parameters alone, and defines no function within.
 * @param lines sum, blank, path
 */
function checkLines(files: typeof fs, hashes: typeof crypto, lines: readonly string[], next: Int32Array): Wrong[] {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = files.constants;
  const chunk = Buffer.allocUnsafe(1 << 20);
  const wrong: Wrong[] = [];
  for (let i = Atomics.add(next, 0, 1); i < lines.length; i = Atomics.add(next, 0, 1)) {
    const line = lines[i] ?? "";
    let fd = -1;
    try {
      fd = files.openSync(line.slice(33), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
      let got = files.readSync(fd, chunk);
      let found: string;
      if (got < chunk.length) found = hashes.hash("md5", chunk.subarray(0, got));
      else {
        const parts = hashes.createHash("md5");
        for (; got > 0; got = files.readSync(fd, chunk)) parts.update(chunk.subarray(0, got));
        found = parts.digest("hex");
      }
      if (found !== line.slice(0, 32)) wrong.push([i, "content"]);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "ENOENT" || code === "ENOTDIR") wrong.push([i, "missing"]);
      else wrong.push([i, code === "ELOOP" || code === "EISDIR" ? "type" : "unreadable"]);
    } finally {
      if (fd >= 0) files.closeSync(fd);
    }
  }
  return wrong;
}

const THREAD = `
const { parentPort, workerData } = process.getBuiltinModule("node:worker_threads");
const [files, hashes] = ["node:fs", "node:crypto"].map((name) => process.getBuiltinModule(name));
parentPort.postMessage((${checkLines.toString()})(files, hashes, workerData.text.split("\\n"), workerData.next));
`;

/** Most threads: more would take the disk and the processors from what the host is for. */
const THREADS = 4;
/** A thread takes some fifty milliseconds to start: fewer files than this are not worth it. */
const WORTH_A_THREAD = 1_000;

/** Reads files and holds them against their MD5 sums on all processors. @returns those that differ, in the order given */
export async function checkFiles(
  machine: Pick<Machine, "root">,
  files: readonly PackagedFile[],
): Promise<AlteredFile[]> {
  const lines = files.map((file) => `${file.md5} ${onMachine(machine, file.path)}`);
  const next = new Int32Array(new SharedArrayBuffer(4));
  const others = Math.min(availableParallelism() - 1, THREADS - 1, Math.floor(files.length / WORTH_A_THREAD));
  const text = others > 0 ? lines.join("\n") : "";
  const theirs = Promise.all(Array.from({ length: others }, () => inThread(text, next)));
  const wrong = [...checkLines(fs, crypto, lines, next), ...(await theirs).flat()];
  return wrong
    .sort(([a], [b]) => a - b)
    .flatMap(([index, what]) => {
      const file = files[index];
      return file === undefined ? [] : [{ package: file.package, path: file.path, what }];
    });
}

function inThread(text: string, next: Int32Array): Promise<Wrong[]> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(THREAD, { eval: true, workerData: { text, next } });
    worker.once("message", (message) => resolve(Found.parse(message)));
    worker.once("error", reject);
    worker.once("exit", (code) => reject(new Error(`a thread that read files ended with ${code}`)));
  });
}
