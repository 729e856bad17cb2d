declare const AUTOPATCH_VERSION: string | undefined;

/** The agent's version, put in by the build; a run from the sources has none. */
export const AGENT_VERSION = typeof AUTOPATCH_VERSION === "string" ? AUTOPATCH_VERSION : "0.0.0-source";
