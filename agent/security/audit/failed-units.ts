import { hasSystemd, failedUnits as readFailedUnits } from "../../host/services.ts";
import { type Checker, count, draft, looked, notApplicable } from "./checker.ts";

/** Units that systemd gave up on. */
export const failedUnits: Checker = {
  id: "failedUnits",
  title: "Failed units",
  run: async ({ machine }) => {
    if (!hasSystemd(machine)) return notApplicable("systemd is not PID 1 here");
    return looked(
      draft(
        "failedUnits",
        "medium",
        (n) => `${count(n, "unit")} failed`,
        await readFailedUnits(machine),
        "systemctl status UNIT and journalctl -u UNIT tell why; then systemctl restart UNIT",
      ),
    );
  },
};
