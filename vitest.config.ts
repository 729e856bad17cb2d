import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // Sandbox hosts, dpkg runs and Lambdas share two cores; more files at once only makes each slower.
    maxWorkers: 2,
    testTimeout: 240_000,
    hookTimeout: 600_000,
  },
});
