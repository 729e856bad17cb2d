/** A file of a package; its path is absolute, as on the host. */
export interface SampleFile {
  readonly path: string;
  readonly content?: string | Uint8Array;
  /** Target of a symbolic link; then there is no content. */
  readonly link?: string;
  /** @default 0o644 */
  readonly mode?: number;
}

export type MaintainerScript = "preinst" | "postinst" | "prerm" | "postrm";

/** One version of a package, as data: what dpkg-deb needs to make a .deb of it. */
export interface SamplePackage {
  readonly name: string;
  readonly version: string;
  readonly summary: string;
  /** @default "all" */
  readonly architecture?: string;
  /** More control fields, such as Depends, Conflicts, Replaces. */
  readonly fields?: Readonly<Record<string, string>>;
  readonly files: readonly SampleFile[];
  /** Paths among the files that are conffiles. */
  readonly conffiles?: readonly string[];
  readonly scripts?: Partial<Readonly<Record<MaintainerScript, string>>>;
}

export function debName(one: SamplePackage): string {
  return `${one.name}_${one.version}_${one.architecture ?? "all"}.deb`;
}
