import { createHash } from "node:crypto";

/**
 * minimal: minbase alone, for quick tests. fleet: a small server as it would be found in the field. booted: what a host that boots its
 * own systemd needs.
 */
export type BaseVariant = "minimal" | "fleet" | "booted";

/** Debian releases that hosts can be of. */
export type BaseSuite = "bullseye" | "bookworm" | "trixie";

export interface BaseRecipe {
  readonly variant: BaseVariant;
  readonly suite: BaseSuite;
  /** Whether services start when their packages are installed, as they do on a host that is booted. */
  readonly servicesStart: boolean;
  /** Packages beyond minbase, from the pocket main alone, so that -security has something to patch. */
  readonly packages: readonly string[];
  /** Bytes free at the cache folder that building takes. */
  readonly neededBytes: number;
}

const FLEET_PACKAGES = [
  ...["bind9-dnsutils", "cron", "curl", "file", "git", "gpg", "iproute2", "less", "libxml2"],
  ...["logrotate", "lsb-release", "needrestart", "nginx", "openssh-server", "openssl", "perl", "postgresql-client"],
  ...["procps", "python3", "rsync", "sudo", "tmux", "vim-tiny", "wget", "xz-utils", "zstd"],
];

const BOOTED_PACKAGES = [
  ...["ca-certificates", "cron", "curl", "dbus", "iproute2", "logrotate", "nftables", "openssh-server", "procps"],
  ...["rsync", "sudo", "systemd", "systemd-sysv", "wget"],
];

const RECIPES: Readonly<Record<BaseVariant, Omit<BaseRecipe, "variant" | "suite">>> = {
  minimal: { packages: [], neededBytes: 450_000_000, servicesStart: false },
  fleet: { packages: FLEET_PACKAGES, neededBytes: 1_000_000_000, servicesStart: false },
  booted: { packages: BOOTED_PACKAGES, neededBytes: 550_000_000, servicesStart: true },
};

export function baseRecipe(variant: BaseVariant, suite: BaseSuite = "bookworm"): BaseRecipe {
  return { variant, suite, ...RECIPES[variant] };
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
