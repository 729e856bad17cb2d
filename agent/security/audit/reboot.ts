import { rebootReasons } from "../../patch/reboot.ts";
import { type Checker, draft, looked } from "./checker.ts";

export const reboot: Checker = {
  id: "reboot",
  title: "A reboot that is asked for",
  run: async ({ machine }) =>
    looked(
      draft(
        "rebootPending",
        "medium",
        () => "Updates wait for a reboot to take effect",
        (await rebootReasons(machine)).map((one) => one.message),
        "Reboot in the next window: systemctl reboot",
      ),
    ),
};
