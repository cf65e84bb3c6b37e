/**
 * Writes a run: its blob, claimed as every blob is, and then, in one atomic operation, its record, with whatever it takes
 * the place of removed. Whoever dies before that leaves a claim that expires, and the sweep finds what it names.
 *
 * @module
 */
import { BlobRecordSchema, RunRecordSchema } from "../../../gen/sluice/store/v1/records_pb.ts";
import { HOUR, RUN_KEPT_MS, RUN_SYNC_BYTES } from "../../../limits.ts";
import { encodeValue, FORMAT } from "../../format/value.ts";
import type { Mutation, PieceWriter } from "../../types.ts";
import { blobKey, runKey, type RunKind } from "../keys.ts";
import type { Check } from "../kv.ts";
import { encodeRecord } from "../records.ts";
import type { Round } from "../housekeeping/round.ts";
import type { Run } from "./run_list.ts";

/** A run has one writer. */
const EPOCH = 1;

/** What a run is of. */
export interface RunOrigin {
  readonly kind: RunKind;
  readonly tenant: string;
  /** Days since the epoch. */
  readonly day: number;
  readonly isDay: boolean;
}

export interface RunItems {
  readonly minTime: number;
  readonly maxTime: number;
  readonly items: number;
}

export class RunWriter {
  /** Bytes so far. */
  length = 0;
  #durable = 0;
  #items = 0;
  #minTime = Infinity;
  #maxTime = -Infinity;
  #isSealed = false;

  private constructor(
    private readonly round: Round,
    readonly origin: RunOrigin,
    readonly id: string,
    private readonly piece: PieceWriter,
  ) {}

  static async create(round: Round, origin: RunOrigin): Promise<RunWriter> {
    const { options } = round;
    const id = options.newId();
    // Before the piece: what nobody claims is swept.
    await round.atomic([], [claimOf(round, origin, id, 0, options.clock.now() + options.uploadExpiry)]);
    return new RunWriter(round, origin, id, await options.blobs.create(id, EPOCH));
  }

  /** Appends a segment, which has items of these times, or none. Returns how many bytes it takes. */
  async append(format: number, segment: Uint8Array, { minTime, maxTime, items }: RunItems): Promise<number> {
    const value = encodeValue(format, 0, segment);
    await this.#write(value);
    if (items === 0) return value.length;
    this.#items += items;
    this.#minTime = Math.min(this.#minTime, minTime);
    this.#maxTime = Math.max(this.#maxTime, maxTime);
    return value.length;
  }

  /**
   * Ends the run, and makes it visible together with `mutations`. Returns whether that could be done: if not, there is no
   * run.
   */
  async finish(footer: Uint8Array, checks: readonly Check[], mutations: readonly Mutation[]): Promise<boolean> {
    const { round, origin, id } = this;
    const { kind, tenant, day, isDay } = origin;
    const footerAt = this.length;
    await this.#write(
      encodeValue(kind === "points" ? FORMAT.pointRunFooter : FORMAT.logRunFooter, 0, footer),
    );
    await this.#sync(true);
    await this.seal();
    const expires = (Math.floor(this.#maxTime / HOUR) + 1) * HOUR + round.options.retention;
    const value = encodeRecord(RunRecordSchema, FORMAT.run, expires, {
      pieces: [{ epoch: EPOCH, length: BigInt(this.length) }],
      footer: BigInt(footerAt),
      minTime: BigInt(this.#minTime),
      maxTime: BigInt(this.#maxTime),
      items: BigInt(this.#items),
      isDay,
    });
    return await round.atomic(checks, [
      { type: "set", key: runKey(kind, tenant, day, id), value },
      claimOf(round, origin, id, this.length, 0),
      ...mutations,
    ]);
  }

  /** Removes what was written. */
  async abandon(): Promise<void> {
    await this.seal();
    await this.round.atomic([], [{ type: "delete", key: blobKey(this.id) }]);
    await this.round.options.blobs.remove(this.id, EPOCH);
  }

  /** Lets go of the blob, whatever has become of the run: a writer holds a file, or buffers. */
  async seal(): Promise<void> {
    if (this.#isSealed) return;
    this.#isSealed = true;
    await this.piece.seal();
  }

  async #write(bytes: Uint8Array): Promise<void> {
    for (let rest = bytes; rest.length > 0;) {
      if (this.piece.room === 0) await this.#sync(false);
      const part = rest.subarray(0, Math.min(rest.length, this.piece.room));
      await this.piece.append(part);
      this.length += part.length;
      rest = rest.subarray(part.length);
    }
    if (this.length - this.#durable >= RUN_SYNC_BYTES) await this.#sync(false);
    await this.round.pace();
  }

  /** The commit that counts the bytes takes the claim along, so that it does not expire over a long run. */
  async #sync(all: boolean): Promise<void> {
    const { length, mutations } = await this.piece.sync(all);
    this.#durable = length;
    const { clock, uploadExpiry } = this.round.options;
    const claim = claimOf(this.round, this.origin, this.id, length, clock.now() + uploadExpiry);
    await this.round.atomic([], [claim, ...mutations]);
  }
}

/**
 * The claim of a run that another one takes the place of. Its bytes stay for a while: for those who read them, and for a
 * backup that has seen its record.
 */
export function expiringClaim(round: Round, origin: RunOrigin, { id, size }: Run): Mutation {
  return claimOf(round, origin, id, size, round.options.clock.now() + RUN_KEPT_MS);
}

/** The claim of a run's blob. @param expires 0 for one of a run that there is. */
function claimOf(
  { options: { newId } }: Round,
  { tenant, kind, day }: RunOrigin,
  id: string,
  length: number,
  expires: number,
): Mutation {
  const committed = BigInt(length);
  const value = encodeRecord(BlobRecordSchema, FORMAT.blob, expires, {
    ...{ tenant, finished: expires === 0, committed, epoch: EPOCH, commitId: newId() },
    pieces: length === 0 ? [] : [{ epoch: EPOCH, length: committed }],
    run: { kind, day: BigInt(day) },
  });
  return { type: "set", key: blobKey(id), value };
}
