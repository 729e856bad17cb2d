/** How the agent cuts what a step wrote. Lengths are bytes of UTF-8. */

const STEP_OUTPUT_BYTES = 24_000;
const CUT = "--output truncated--";

/** One stream of a step as it is reported: whole below 24,000 bytes, else its beginning and a mark, 24,000 bytes together. */
export function cutStream(text: string): string {
  return Buffer.byteLength(text) < STEP_OUTPUT_BYTES ? text : head(text, STEP_OUTPUT_BYTES - CUT.length) + CUT;
}

const SUMMARY_BYTES = 2500;
const ERROR_TITLE = "\n----------ERROR-------\n";
const OUTPUT_CUT = "\n---Output truncated---";
const ERROR_CUT = "\n---Error truncated----";

/** Both streams in one text of at most 2,500 bytes: what ListCommandInvocations shows as the output of a plugin. */
export function summariseOutput(stdout: string, stderr: string): string {
  const [outputSize, errorSize] = [Buffer.byteLength(stdout), Buffer.byteLength(stderr)];
  const title = errorSize > 0 ? ERROR_TITLE : "";
  const space = SUMMARY_BYTES - title.length;
  if (outputSize + errorSize < space) return stdout + title + stderr;
  if (outputSize > space / 2 && errorSize > space / 2) {
    const each = Math.trunc((space - ERROR_CUT.length - OUTPUT_CUT.length) / 2);
    return head(stdout, each) + OUTPUT_CUT + title + head(stderr, each) + ERROR_CUT;
  }
  if (outputSize <= Math.trunc(space / 2)) {
    return stdout + title + head(stderr, space - ERROR_CUT.length - outputSize) + ERROR_CUT;
  }
  return head(stdout, space - OUTPUT_CUT.length - errorSize) + OUTPUT_CUT + title + stderr;
}

/** The first `bytes` bytes; each byte of a character cut in two becomes U+FFFD, as Go's JSON encoder writes it. */
function head(text: string, bytes: number): string {
  const cut = Buffer.from(text).subarray(0, bytes);
  let start = cut.length;
  while (start > 0 && start > cut.length - 3 && ((cut[start - 1] ?? 0) & 0xc0) === 0x80) start--;
  const first = cut[start - 1] ?? 0;
  const needed = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
  const present = cut.length - start + 1;
  if (needed === 1 || present >= needed) return cut.toString("utf8");
  return cut.subarray(0, start - 1).toString("utf8") + "\uFFFD".repeat(present);
}
