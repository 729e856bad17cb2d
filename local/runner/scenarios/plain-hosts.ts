import type { HostOutcome } from "../../../contract/run.ts";
import type { Options } from "../options.ts";
import { type StoryHost, storyHosts } from "../story.ts";

/** Hosts whose packages all install well: what becomes of them is what somebody does. @param rest how all but the canary may end */
export function plainHosts({ hosts, packages }: Options, rest: HostOutcome): StoryHost[] {
  return storyHosts(hosts, packages).map((host, index) => ({
    ...host,
    role: "plain",
    expected: [index === 0 ? "committed" : rest],
  }));
}
