import { Failure } from "../../contract/failures.ts";

/** @throws Failure `notRoot` */
export function requireRoot(): void {
  const uid = process.geteuid?.() ?? 0;
  if (uid !== 0) throw new Failure("notRoot", `this program runs as user ${uid}: run it with sudo, or through SSM`);
}
