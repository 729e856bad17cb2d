import { expect, test } from "vitest";
import { divideRestarts } from "../../../agent/host/restart-services.ts";
import { parseShown, parseUnits, staleServices } from "../../../agent/host/services.ts";

test("systemctl's lists, by their names", () => {
  const list = "ssh.service loaded active running OpenBSD\ncron.service loaded active running Cron\n\nx.timer loaded\n";
  expect(parseUnits(list)).toEqual(["cron.service", "ssh.service"]);
});

test("after a rollback those are restarted that started during the change or stopped, and nobody else", () => {
  const shown = (name: string, more: string) => `Type=notify\nId=${name}.service\n${more}\n`;
  const units = parseShown(
    [
      shown("nginx", "ActiveState=active\nActiveEnterTimestampMonotonic=5000000"),
      shown("cron", "ActiveState=active\nActiveEnterTimestampMonotonic=1000000"),
      shown("dbus", "ActiveState=active\nActiveEnterTimestampMonotonic=5000000"),
      shown("amazon-ssm-agent", "ActiveState=active\nActiveEnterTimestampMonotonic=5000000"),
      shown("ssh", "ActiveState=failed\nActiveEnterTimestampMonotonic=0"),
      "Type=oneshot\nId=setup.service\nActiveState=inactive\nActiveEnterTimestampMonotonic=\n",
    ].join("\n"),
  );

  expect(units[0]).toEqual({ name: "nginx.service", type: "notify", state: "active", activeSinceMs: 5_000 });
  const stale = staleServices(units, 4_000);
  expect(stale).toEqual(["nginx.service", "dbus.service", "amazon-ssm-agent.service", "ssh.service"]);
  expect(divideRestarts(stale, null)).toEqual({
    now: ["nginx.service", "ssh.service"],
    later: ["amazon-ssm-agent.service"],
    left: ["dbus.service"],
  });
});
