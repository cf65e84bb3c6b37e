/**
 * What the parts of a round have in common: the lease, and the pace.
 *
 * @module
 */
import { type Clock, pause } from "../../../clock.ts";
import { HOUSEKEEPING_STEP_MS } from "../../../limits.ts";
import { decodeValue } from "../../format/value.ts";
import type { FreeSpace } from "../../free_space.ts";
import type { BlobStore, Mutation } from "../../types.ts";
import type { Committer } from "../committer.ts";
import type { Merger } from "../compaction/merger.ts";
import type { Check, Entry, KvClient } from "../kv.ts";
import type { Lease } from "../lease.ts";

export interface HousekeepingOptions {
  readonly kv: KvClient;
  readonly committer: Committer;
  readonly blobs: BlobStore;
  readonly space: FreeSpace;
  readonly clock: Clock;
  /** A ULID of this moment. */
  newId(): string;
  /** How the items of each kind are compacted. */
  readonly mergers: readonly Merger[];
  /** How long after its end a day is made one run, ms. */
  readonly coldAfter: number;
  /** Segments of an hour that is over, or of a day, from which on they become a run. */
  readonly compactFrom: number;
  /** An id of this instance that no other has, nor had. */
  readonly holder: string;
  /** How long points and logs are kept, ms. */
  readonly retention: number;
  /** How long an upload may stand still, ms. */
  readonly uploadExpiry: number;
  /** How long the record of a stream lives after its last commit, ms. */
  readonly streamLifetime: number;
}

export class Round {
  #stepBegan: number;

  constructor(
    readonly options: HousekeepingOptions,
    private readonly lease: Lease,
    private readonly signal: AbortSignal,
  ) {
    this.#stepBegan = options.clock.elapsed();
  }

  /**
   * One atomic operation of the lease's holder, with at most KV_MAX_CHECKS - 1 checks besides. Returns whether they held.
   * Throws a LeaseLostError if the lease's did not.
   *
   * A remote KV that resends may report our own operation as a conflict. Then it counts as one, and does no harm: what it
   * was to remove is gone, and the next round does not find it.
   */
  async atomic(checks: readonly Check[], mutations: readonly Mutation[]): Promise<boolean> {
    if (await this.options.kv.atomic([this.lease.check, ...checks], mutations) !== undefined) return true;
    await this.lease.ensure();
    return false;
  }

  /**
   * Call it after everything that takes time. Keeps the lease, and ends a step after 20 ms, so that others get their turn.
   * Throws when the round is to stop.
   */
  async pace(): Promise<void> {
    const { clock } = this.options;
    this.signal.throwIfAborted();
    await this.lease.renew();
    if (clock.elapsed() - this.#stepBegan < HOUSEKEEPING_STEP_MS) return;
    await pause(clock, HOUSEKEEPING_STEP_MS, this.signal);
    this.#stepBegan = clock.elapsed();
  }

  /** Of the lease, when it was renewed last. */
  get versionstamp(): string {
    return this.lease.check.versionstamp!;
  }

  /** What is damaged is kept for somebody to look at. */
  isExpired(entry: Entry): boolean {
    const { kv, clock } = this.options;
    const expires = kv.decodeOrSkip(entry, () => decodeValue(entry.value).expires) ?? 0;
    return expires !== 0 && expires <= clock.now();
  }
}

export const deletion = ({ key }: { readonly key: Deno.KvKey }): Mutation => ({ type: "delete", key });
