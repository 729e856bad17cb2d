import { parseArgs } from "node:util";
import type { OwnNodes } from "./node-binary.ts";
import { ARCHITECTURES, type Architecture } from "./node-pins.ts";

export const BUILD_HELP = `npm run build -- [--node PATH] [--node-arm64 PATH] [--arch x64|arm64]

Makes dist/autopatch-<arch>, the Debian packages and autopatch-bundle.tar.gz.
  --node PATH        a Node binary for x64 of your own, instead of the pinned one
  --node-arm64 PATH  the same for arm64
  --arch ARCH        only that one. Both unless given
`;

export interface BuildCommand {
  readonly nodes: OwnNodes;
  readonly architectures: readonly Architecture[];
}

/** Null asks for help. @throws Error for arguments it does not know */
export function parseBuildOptions(args: readonly string[]): BuildCommand | null {
  const { values } = parseArgs({
    args: [...args],
    options: {
      node: { type: "string" },
      "node-arm64": { type: "string" },
      arch: { type: "string" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help === true) return null;
  const only = ARCHITECTURES.find((arch) => arch === values.arch);
  if (values.arch !== undefined && only === undefined)
    throw new Error(`--arch ${values.arch}: one of ${ARCHITECTURES.join(", ")}`);
  return {
    nodes: {
      ...(values.node === undefined ? {} : { x64: values.node }),
      ...(values["node-arm64"] === undefined ? {} : { arm64: values["node-arm64"] }),
    },
    architectures: only === undefined ? ARCHITECTURES : [only],
  };
}
