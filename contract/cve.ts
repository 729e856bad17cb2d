import * as z from "zod";

/** `CVE-2023-0286` */
export const CveId = z.string().regex(/^CVE-\d{4}-\d{4,}$/, "a CVE id such as CVE-2023-0286");

/** Pure: ids by year, then number, each once. */
export function sortedCves(cves: Iterable<string>): string[] {
  const parts = (id: string) => id.split("-").slice(1).map(Number);
  return [...new Set(cves)].sort((a, b) => {
    const [yearA = 0, numberA = 0] = parts(a);
    const [yearB = 0, numberB = 0] = parts(b);
    return yearA - yearB || numberA - numberB;
  });
}

/** Pure: what several packages fix together, each id once; null when that is known of none of them. */
export function distinctCves(packages: readonly { readonly cves: readonly string[] | null }[]): string[] | null {
  if (packages.length > 0 && packages.every(({ cves }) => cves === null)) return null;
  return sortedCves(packages.flatMap(({ cves }) => cves ?? []));
}
