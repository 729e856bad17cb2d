import { Lease } from "../../contract/lease.ts";
import { KEYS } from "../../contract/names.ts";
import { freedLease, LeaseLost, takeLease } from "../fleet/lease.ts";
import type { RunStore } from "./run-store.ts";

/** One run per fleet: an object that is written only over the version that was looked at. */
export class FleetLease {
  readonly #store: RunStore;
  readonly #fleet: string;

  constructor(store: RunStore, fleet: string) {
    this.#store = store;
    this.#fleet = fleet;
  }

  /**
   * Takes the fleet for a run, or holds it for longer.
   * @param seconds from now on until it ends by itself
   * @throws FleetBusy when another run holds it, LeaseLost when one was faster
   */
  async hold(runId: string, seconds: number, now: Date): Promise<void> {
    const key = KEYS.lease(this.#fleet);
    const found = await this.#store.readVersion(key, Lease);
    const lease = takeLease(found?.value, { fleet: this.#fleet, runId }, seconds, now);
    const written =
      found === undefined
        ? await this.#store.writeNew(key, lease)
        : await this.#store.writeOver(key, lease, found.etag);
    if (written) return;
    const other = await this.#store.read(key, Lease);
    // The call that was retried, or another Lambda of the same run, has written it.
    if (other?.runId === runId) return;
    throw new LeaseLost(
      `run ${runId}: fleet ${this.#fleet} was taken by run ${other?.runId ?? "?"} at the same moment; start it again after that one`,
    );
  }

  /** Lets go; of a lease that is another's or over, nothing. */
  async free(runId: string, now: Date): Promise<void> {
    const key = KEYS.lease(this.#fleet);
    const found = await this.#store.readVersion(key, Lease);
    const freed = freedLease(found?.value, runId, now);
    if (found !== undefined && freed !== null) await this.#store.writeOver(key, freed, found.etag);
  }
}
