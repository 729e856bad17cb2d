import { distinctCves } from "../../contract/cve.ts";
import { type Html, html, NOTHING } from "../../contract/html.ts";
import type { PackageChange, RunReport } from "../../contract/run.ts";

interface Row {
  readonly change: PackageChange;
  readonly hosts: string[];
}

/** Each change once, with the hosts it was planned for. */
export function packagesSection({ hosts, dryRun }: RunReport): Html {
  const rows = new Map<string, Row>();
  for (const host of hosts) {
    for (const change of host.packages) {
      const key = [change.name, change.architecture, change.from, change.to].join(" ");
      const row = rows.get(key) ?? { change, hosts: [] };
      row.hosts.push(host.name);
      rows.set(key, row);
    }
  }
  if (rows.size === 0) return NOTHING;
  const sorted = [...rows.values()].sort((a, b) => (a.change.name < b.change.name ? -1 : 1));
  return html`<h2>Packages</h2><p class="soft">What each host ${dryRun ? "would change" : "was to change"}; whether it did is said above. ${totalOf(sorted.map(({ change }) => change))}</p>
<table><thead><tr><th>Package</th><th>From</th><th>To</th><th>Kind</th><th>CVEs fixed</th><th>Hosts</th></tr></thead><tbody>
${sorted.map(({ change, hosts: names }) => rowOf(change, names, hosts.length))}</tbody></table>`;
}

function rowOf(change: PackageChange, names: readonly string[], all: number): Html {
  const kinds = [
    change.security ? "security" : "",
    change.critical ? "critical" : "",
    change.from === null ? "new" : "",
    change.to === null ? "removed" : "",
  ].filter((kind) => kind !== "");
  const where = names.length === all ? `all ${all}` : names.length > 6 ? `${names.length} of ${all}` : names.join(", ");
  return html`<tr><th>${change.name}</th><td data-label="From">${change.from ?? ""}</td><td data-label="To">${change.to ?? ""}</td><td data-label="Kind">${kinds.join(", ")}</td><td data-label="CVEs fixed">${cvesOf(change)}</td><td data-label="Hosts">${where}</td></tr>
`;
}

function totalOf(changes: readonly PackageChange[]): string {
  const updates = changes.filter(isUpdate);
  const cves = distinctCves(updates);
  if (cves === null) return "Which CVEs they fix is not known before they are downloaded.";
  const least = updates.some((one) => one.cves === null || one.cvesIncomplete) ? "at least " : "";
  return `By their changelogs they fix ${least}${cves.length} ${cves.length === 1 ? "CVE" : "CVEs"}.`;
}

function cvesOf(change: PackageChange): string {
  if (!isUpdate(change)) return "";
  if (change.cves === null) return "not known";
  const more = change.cvesIncomplete ? ["and perhaps more: its changelog is cut"] : [];
  return [...change.cves, ...more].join(", ");
}

function isUpdate({ from, to }: PackageChange): boolean {
  return from !== null && to !== null;
}
