/**
 * Removes what nobody may see any more: hours past retention, series that are no longer used, uploads that stood still,
 * pieces that nobody names, records of streams that have expired, and journals of logs. In steps of at most a page of keys and 20 ms, so
 * that commits keep their latency.
 *
 * Of several instances over one KV, the one that holds the lease keeps house, and every atomic operation of a round checks
 * the lease: one that was paused and comes back, long after another has taken over, changes nothing in KV. Removing a piece
 * from a blob store is no atomic operation, and a late one does no harm either: what makes a piece garbage (pieces.ts) can
 * never become untrue, for neither a blob's id nor an epoch of it is ever used again.
 *
 * KV's own `expireIn` is not used: a local KV removes all that expired in one transaction, which stops everything else
 * for seconds, and ends the process if the disk is full at that moment.
 *
 * @module
 */
import { Compaction } from "../compaction/mod.ts";
import { allStreamsPrefix, blobsPrefix } from "../keys.ts";
import { Lease } from "../lease.ts";
import { removeHours } from "./hours.ts";
import { PieceSweep } from "./pieces.ts";
import { type HousekeepingOptions, Round } from "./round.ts";
import { JournalSweep } from "./journals.ts";
import { removeSeries } from "./series.ts";
import { removeStreams } from "./streams.ts";
import { removeUploads } from "./uploads.ts";
import { Walk } from "./walk.ts";

export type { HousekeepingOptions } from "./round.ts";

/** What a round removed, and how many runs it made. */
export interface Kept {
  readonly hours: number;
  readonly series: number;
  readonly uploads: number;
  readonly pieces: number;
  readonly streams: number;
  readonly journals: number;
  readonly runs: number;
}

const NOTHING: Kept = { hours: 0, series: 0, uploads: 0, pieces: 0, streams: 0, journals: 0, runs: 0 };

export class Housekeeping {
  readonly #lease: Lease;
  readonly #claims: Walk;
  readonly #streams: Walk;
  readonly #pieces: PieceSweep;
  readonly #journals = new JournalSweep();
  readonly #compaction: Compaction;

  constructor(private readonly options: HousekeepingOptions) {
    this.#lease = new Lease({ ...options, name: "housekeeping" });
    this.#claims = new Walk(options.kv, blobsPrefix);
    this.#streams = new Walk(options.kv, allStreamsPrefix);
    this.#pieces = new PieceSweep(options.blobs);
    this.#compaction = new Compaction(options);
  }

  /**
   * One round, if this instance has the lease or gets it, else nothing. Not for concurrent use. Can be stopped between any
   * two steps, and may die anywhere: the next round goes on. Throws a LeaseLostError if another instance takes over
   * meanwhile.
   */
  async round(signal: AbortSignal): Promise<Kept> {
    signal.throwIfAborted();
    if (!await this.#lease.take()) return NOTHING;
    const round = new Round(this.options, this.#lease, signal);
    return {
      hours: await removeHours(round),
      series: await removeSeries(round),
      uploads: await removeUploads(round, this.#claims),
      pieces: await this.#pieces.sweep(round),
      streams: await removeStreams(round, this.#streams),
      journals: await this.#journals.sweep(round),
      runs: await this.#compaction.round(round),
    };
  }

  /** Lets another instance take over at once. Call it when the signal of the last round has aborted. */
  async stop(): Promise<void> {
    // If it fails, the others will see that nobody renews the lease.
    await this.#lease.release().catch(() => {});
  }
}
