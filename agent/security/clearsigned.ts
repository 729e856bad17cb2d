/** A text and the signature over it, apart. */
export interface SignedText {
  /** The signed text without its last line's ending, which no signature of this kind covers. */
  readonly text: Buffer;
  /** The armoured signature. */
  readonly signature: Buffer;
}

const [BEGIN, MIDDLE, END] = [
  "-----BEGIN PGP SIGNED MESSAGE-----",
  "-----BEGIN PGP SIGNATURE-----",
  "-----END PGP SIGNATURE-----",
];

/**
 * Takes an InRelease file apart (RFC 9580, 7). Pure, and stricter than the RFC where readers are known to disagree: nothing before
 * or behind, one signature block, no header but Hash, no carriage return. What comes out is what a verifier is then given and what
 * is read afterwards, so that a file taken apart wrongly has a signature that does not match.
 * @returns in words what is wrong with it
 */
export function splitClearsigned(file: Buffer): SignedText | string {
  // Byte for character: only ASCII counts here.
  const all = file.toString("latin1");
  if (/[\r\0]/.test(all)) return "it has carriage returns or null bytes, which no Release file has";
  const lines = all.replace(/\n+$/, "").split("\n");
  const gap = lines.indexOf("");
  if (lines[0] !== BEGIN || gap < 0) return "it is not signed within: it does not begin with a signed message";
  if (!lines.slice(1, gap).every((line) => /^Hash: [A-Za-z0-9-]+(,[A-Za-z0-9-]+)*$/.test(line)))
    return "its signed message has a header other than Hash";
  const middle = lines.indexOf(MIDDLE, gap);
  if (middle < 0) return "it has no signature";
  if (lines.indexOf(END, middle) !== lines.length - 1) return "its signature has no end, or something stands behind it";
  const signed = lines.slice(gap + 1, middle);
  if (signed.some((line) => line.startsWith("-") && !line.startsWith("- ")))
    return "a line of its text begins with a dash that is not escaped";
  const text = signed.map((line) => line.replace(/^- /, "").replace(/[ \t]+$/, "")).join("\n");
  return { text: Buffer.from(text, "latin1"), signature: Buffer.from(`${lines.slice(middle).join("\n")}\n`, "latin1") };
}
