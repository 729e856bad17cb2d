import { createReadStream, statSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join, normalize } from "node:path";

export interface FolderServer {
  /** Ends with a slash. */
  readonly url: string;
  close(): Promise<void>;
}

/** Serves the files of a folder, read-only, on 127.0.0.1 and a port of the kernel's choice. Answers If-Modified-Since, as apt asks it. */
export async function serveFolder(folder: string): Promise<FolderServer> {
  const server = createServer((request, response) => {
    const file = fileAsked(folder, request.url ?? "/");
    const stat = file === undefined ? undefined : statSync(file, { throwIfNoEntry: false });
    if (
      file === undefined ||
      stat === undefined ||
      !stat.isFile() ||
      (request.method !== "GET" && request.method !== "HEAD")
    ) {
      response.writeHead(404).end();
      return;
    }
    const modified = new Date(Math.floor(stat.mtimeMs / 1000) * 1000);
    const since = request.headers["if-modified-since"];
    if (since !== undefined && modified.getTime() <= Date.parse(since)) {
      response.writeHead(304).end();
      return;
    }
    response.writeHead(200, { "content-length": stat.size, "last-modified": modified.toUTCString() });
    if (request.method === "HEAD") response.end();
    else createReadStream(file).pipe(response);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** An absolute path normalised has no dots left, so it stays below the folder; a malformed escape asks for nothing. */
function fileAsked(folder: string, url: string): string | undefined {
  try {
    return join(folder, normalize(decodeURIComponent(new URL(url, "http://localhost").pathname)));
  } catch {
    return undefined;
  }
}
