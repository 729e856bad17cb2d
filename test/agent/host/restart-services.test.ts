import { expect, test } from "vitest";
import { parseHeld } from "../../../agent/host/held-restarts.ts";
import { divideRestarts, planRestarts } from "../../../agent/host/restart-services.ts";

test("what maintainer scripts asked for, each unit once; a restart makes a reload needless", () => {
  const text =
    "reload nginx\nrestart nginx.service\nreload nginx.service\nreload apache2.service\nrestart $(evil) x\noutdated\n";

  expect(parseHeld(text)).toEqual([
    { unit: "nginx.service", action: "restart" },
    { unit: "apache2.service", action: "reload" },
  ]);
});

const outdated = (...units: string[]) => units.map((unit) => ({ unit, files: ["/usr/lib/libssl.so.3"] }));

test("each unit is restarted once: sshd last, what carries the agent later, the bus and logins not at all", () => {
  const plan = planRestarts(
    [
      { unit: "ssh.service", action: "restart" },
      { unit: "apache2.service", action: "reload" },
      { unit: "snap.amazon-ssm-agent.amazon-ssm-agent.service", action: "restart" },
      { unit: "docker.service", action: "restart" },
    ],
    outdated(
      ...["dbus.service", "init.scope", "nginx.service", "ssh.service", "systemd-journald.service"],
      ...["systemd-logind.service", "systemd-networkd.service", "user@0.service", "cron.service", "apache2.service"],
    ),
    "cron.service",
  );

  expect(plan).toEqual({
    reexec: true,
    now: [
      { unit: "docker.service", action: "restart" },
      { unit: "apache2.service", action: "restart" },
      { unit: "nginx.service", action: "restart" },
      { unit: "systemd-journald.service", action: "restart" },
      { unit: "ssh.service", action: "restart" },
    ],
    later: ["snap.amazon-ssm-agent.amazon-ssm-agent.service", "cron.service"],
    left: outdated("dbus.service", "systemd-logind.service", "systemd-networkd.service", "user@0.service"),
  });
});

test("nothing asked for and nothing outdated is nothing to do", () => {
  expect(planRestarts([], [], null)).toEqual({ reexec: false, now: [], later: [], left: [] });
  expect(divideRestarts(["amazon-ssm-agent.service"], null)).toEqual({
    now: [],
    later: ["amazon-ssm-agent.service"],
    left: [],
  });
});
