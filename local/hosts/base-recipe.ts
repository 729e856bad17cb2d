import { createHash } from "node:crypto";

/** minimal: minbase alone, for quick tests. fleet: a small server as it would be found in the field. */
export type BaseVariant = "minimal" | "fleet";

export interface BaseRecipe {
  readonly variant: BaseVariant;
  readonly suite: string;
  /** Packages beyond minbase, from the pocket main alone, so that -security has something to patch. */
  readonly packages: readonly string[];
  /** Bytes free at the cache folder that building takes. */
  readonly neededBytes: number;
}

const FLEET_PACKAGES = [
  ...["bind9-dnsutils", "ca-certificates", "cron", "curl", "file", "git", "gpg", "iproute2", "less", "libxml2"],
  ...["logrotate", "lsb-release", "needrestart", "nginx", "openssh-server", "openssl", "perl", "postgresql-client"],
  ...["procps", "python3", "rsync", "sudo", "tmux", "vim-tiny", "wget", "xz-utils", "zstd"],
];

export function baseRecipe(variant: BaseVariant): BaseRecipe {
  return variant === "minimal"
    ? { variant, suite: "bookworm", packages: [], neededBytes: 450_000_000 }
    : { variant, suite: "bookworm", packages: FLEET_PACKAGES, neededBytes: 1_000_000_000 };
}

/** Changes with whatever changes the built root; raise `layout` when base.ts builds it another way. */
export function recipeDigest(recipe: BaseRecipe, architecture: string): string {
  const layout = 1;
  const { variant, suite, packages } = recipe;
  return createHash("sha256")
    .update(JSON.stringify({ layout, architecture, variant, suite, packages }))
    .digest("hex")
    .slice(0, 16);
}
