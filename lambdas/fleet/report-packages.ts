import type { PackageChange, RunReport } from "../../contract/run.ts";
import { type Html, html, NOTHING } from "./html.ts";

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
  return html`<h2>Packages</h2><p class="soft">What each host ${dryRun ? "would change" : "was to change"}; whether it did is said above.</p>
<table><thead><tr><th>Package</th><th>From</th><th>To</th><th>Kind</th><th>Hosts</th></tr></thead><tbody>
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
  return html`<tr><th>${change.name}</th><td data-label="From">${change.from ?? ""}</td><td data-label="To">${change.to ?? ""}</td><td data-label="Kind">${kinds.join(", ")}</td><td data-label="Hosts">${where}</td></tr>
`;
}
