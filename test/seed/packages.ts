import type { SamplePackage } from "../../local/hosts/sample/package.ts";
import { adversary } from "../agent/patch/adversary.ts";
import { serviceVersion } from "../agent/patch/booted-packages.ts";

export const OLD = "1.0-1";
export const NEW = "2.0-1";

const payroll = adversary({}, "payroll");

/** What a host of these tests can upgrade: a service of the seed's critical list, and a package with a configuration file. */
export const PACKAGES: readonly SamplePackage[] = [
  serviceVersion("nginx", OLD, { library: false }),
  serviceVersion("nginx", NEW, { library: false }),
  payroll.old,
  payroll.next,
];
