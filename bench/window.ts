import type { Row } from "./row.ts";
import type { Stage } from "./stage.ts";

/** What a host is busy with inside its window: verify, backup, install, validate and commit against apt alone, both from downloaded files. The rehearsal comes before it, see rehearsal.ts. */
export async function compareWindow(stage: Stage): Promise<Row[]> {
  const [ours, plain] = [await stage.host(), await stage.host()];
  await ours.run("download.sh", []);
  const patched = await ours.time("install.sh", ["--backup", "--no-rehearse"]);
  const upgraded = await plain.time("apt-get", ["-q", "-y", "dist-upgrade"]);
  return [
    {
      what: "patch inside its window",
      unit: "ms",
      ours: patched,
      peer: { name: "apt-get dist-upgrade", value: upgraded },
      aim: { of: "ratio", at: "most", value: 1.15 },
    },
  ];
}
