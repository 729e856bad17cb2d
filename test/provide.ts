import { exec } from "../agent/host/exec.ts";
import { LOCAL_REQUIREMENTS, provide, TEST_REQUIREMENTS } from "../local/runner/requirements.ts";

/** Brings what any of the tests needs. @throws EnvironmentError naming what its owner must install */
export function provideForTests(): Promise<void> {
  return provide([...LOCAL_REQUIREMENTS, ...TEST_REQUIREMENTS], {
    exec,
    path: process.env.PATH ?? "",
    isRoot: process.getuid?.() === 0,
    say: (text) => console.log(text),
  });
}
