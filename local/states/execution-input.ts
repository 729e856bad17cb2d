import { StatesApiError } from "./errors.ts";
import { MAX_PAYLOAD_BYTES } from "./history.ts";
import type { Json } from "./json.ts";

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what the API refuses.
const FORBIDDEN = /[\s<>{}[\]?*"#%\\^|~`$&,;:/\u0000-\u001f\u007f-\u009f]/;

/** @throws StatesApiError InvalidName. Source: API reference of StartExecution and CreateStateMachine. */
export function requireName(name: string): void {
  if (name.length < 1 || name.length > 80 || FORBIDDEN.test(name)) {
    throw new StatesApiError("InvalidName", `Invalid Name: '${name}'`);
  }
}

/** The parsed input of an execution. @throws StatesApiError InvalidExecutionInput, ValidationException */
export function readInput(text: string): Json {
  if (Buffer.byteLength(text, "utf8") > MAX_PAYLOAD_BYTES) {
    throw new StatesApiError("ValidationException", `input is longer than ${MAX_PAYLOAD_BYTES} bytes`);
  }
  try {
    return JSON.parse(text) as Json;
  } catch (error) {
    const said = (error as Error).message;
    throw new StatesApiError("InvalidExecutionInput", `Invalid State Machine Execution Input: '${said}'`);
  }
}
