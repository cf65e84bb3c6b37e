/**
 * A call's hold on its stream. Every commit of the call's data checks the stream's record and moves it in the same atomic,
 * so data and record are durable together or not at all.
 *
 * ```
 * open (read) -- take() raises the epoch --> writer -- stage(), commit, apply() --> writer
 *                                              \-- fail(): another writer, or a commit whose end is unknown --> nothing more
 * ```
 *
 * @module
 */
import { aborted, unavailable } from "../../errors.ts";
import {
  type StreamRecord,
  StreamRecordSchema,
  type StreamRejections,
  StreamRejectionsSchema,
  StreamState,
} from "../../gen/sluice/store/v1/records_pb.ts";
import { FORMAT } from "../format/value.ts";
import type { Stream, StreamInfo } from "../stream_types.ts";
import type { Mutation } from "../types.ts";
import { type Committer, ConflictError } from "./committer.ts";
import { rejectionsKey, streamKey } from "./keys.ts";
import type { Endings } from "./endings.ts";
import type { Check, KvClient, MaybeEntry } from "./kv.ts";
import { decodeRecord } from "./records.ts";
import {
  addRejections,
  movedRecord,
  newRecord,
  recordMutations,
  rejectionsMutation,
  streamInfo,
  type StreamName,
  type StreamProgress,
  toRejections,
  type UploadInit,
} from "./stream_record.ts";

/** How often a take is tried while the older writer still commits. */
const TAKE_TRIES = 5;

export interface StreamHandleOptions {
  readonly kv: KvClient;
  readonly committer: Committer;
  /** A ULID of this moment. */
  newId(): string;
  /** How long a record lives after its last commit, ms. */
  readonly streamLifetime: number;
}

/** What the handles of one store have in common. */
export interface StreamHandleContext extends StreamHandleOptions {
  readonly endings: Endings;
}

/** A stream as it was read. */
export interface Found {
  readonly record: StreamRecord;
  readonly versionstamp: string;
  readonly rejections: StreamRejections;
}

/** A stream that was not found. */
export interface Unknown {
  /** The tenant's floor: a record may have come and gone since, and then it is higher. */
  readonly floor: MaybeEntry;
  readonly rejections: StreamRejections;
}

/** A move of the record that is ready to be committed. */
export interface Move {
  readonly checks: readonly Check[];
  readonly mutations: readonly Mutation[];
  /** The commit id that the record has afterwards. */
  readonly commitId: string;
  /** It has been committed. */
  apply(versionstamp: string): void;
}

export class StreamHandle implements Stream {
  readonly key: Deno.KvKey;
  readonly isNew: boolean;
  /** Why nothing more can be committed, if so. */
  failure: unknown;
  #record: StreamRecord;
  #rejections: StreamRejections;
  #versionstamp: string | null;
  #duplicates = 0;
  #firstHash: Uint8Array | undefined;
  /** What the first commit of a new stream checks besides. */
  readonly #floor: Check | undefined;

  constructor(
    private readonly o: StreamHandleContext,
    readonly name: StreamName,
    found: Found | Unknown,
    /** Items of the whole stream, if known. */
    private readonly end: number | undefined,
  ) {
    this.key = streamKey(name.tenant, name.kind, name.id);
    this.#rejections = found.rejections;
    this.isNew = "floor" in found;
    if ("floor" in found) {
      this.#record = newRecord(o.kv.clock.now());
      this.#versionstamp = null;
      this.#floor = { key: found.floor.key, versionstamp: found.floor.versionstamp };
    } else {
      this.#record = found.record;
      this.#versionstamp = found.versionstamp;
    }
  }

  /** The handle behind a stream that a service was given. */
  static of(stream: Stream): StreamHandle {
    if (stream instanceof StreamHandle) return stream;
    throw new TypeError("a stream of another store");
  }

  get info(): StreamInfo {
    const record = { ...this.#record, duplicates: this.#record.duplicates + BigInt(this.#duplicates) };
    return {
      ...streamInfo(this.name.kind, this.name.id, record, toRejections(this.#rejections)),
      end: this.end ?? (this.#record.end === undefined ? undefined : Number(this.#record.end)),
    };
  }

  get firstHash(): Uint8Array | undefined {
    return this.#record.firstHash.length > 0 ? this.#record.firstHash : undefined;
  }

  addDuplicates(count: number): void {
    if (this.#record.state !== StreamState.FINISHED) this.#duplicates += count;
  }

  endWith(work: Promise<unknown>): void {
    this.o.endings.add(this.key, work);
  }

  async take(firstHash?: Uint8Array): Promise<void> {
    this.#firstHash = firstHash;
    if (this.isNew) {
      this.#record = { ...this.#record, epoch: 1 };
      return;
    }
    for (let tries = 0; this.#record.state === StreamState.OPEN; tries++) {
      const record = { ...this.#record, epoch: this.#record.epoch + 1, commitId: this.o.newId() };
      const mutations = recordMutations(this.name, this.#record, record, this.#expires(record));
      const [proof] = mutations;
      if (proof.type !== "set") throw new Error("a record is set");
      try {
        const checks = [{ key: this.key, versionstamp: this.#versionstamp }];
        this.#versionstamp = await this.o.committer.commit({ checks, mutations, proof });
        this.#record = record;
        return;
      } catch (error) {
        if (!(error instanceof ConflictError)) throw error;
        // The older writer has just committed; its next commit will be too late.
        if (tries === TAKE_TRIES) throw this.#lost();
        await this.#readAgain();
      }
    }
  }

  /** A move by `progress`; of a file with what is known of it, and whether it is finished. */
  stage(progress: StreamProgress, file?: { readonly upload: UploadInit; readonly isFinished: boolean }): Move {
    if (this.failure !== undefined) throw this.failure;
    const before = this.#record;
    const end = this.end ?? (before.end === undefined ? undefined : Number(before.end));
    const commitId = this.o.newId();
    const duplicates = this.#duplicates;
    const record = movedRecord(before, progress, {
      end: file?.isFinished ? progress.to : end,
      isFinished: file ? file.isFinished : end === progress.to,
      commitId,
      duplicates,
      firstHash: progress.to > 0 ? this.#firstHash : undefined,
      now: this.o.kv.clock.now(),
      upload: file?.upload,
    });
    const mutations = recordMutations(
      this.name,
      this.#versionstamp === null ? undefined : before,
      record,
      this.#expires(record),
    );
    const rejections = addRejections(this.#rejections, progress.rejections);
    if (rejections) mutations.push(rejectionsMutation(this.name, rejections));
    const own = { key: this.key, versionstamp: this.#versionstamp };
    return {
      checks: this.#versionstamp === null && this.#floor ? [own, this.#floor] : [own],
      mutations,
      commitId,
      apply: (versionstamp) => {
        this.#versionstamp = versionstamp;
        this.#record = record;
        this.#duplicates -= duplicates;
        if (rejections) this.#rejections = rejections;
      },
    };
  }

  /** Nothing more can be committed: what comes later would leave a gap. */
  fail(error: unknown): void {
    this.failure ??= error;
  }

  /**
   * After a conflict: the versionstamp of the commit with this id, if it is what the record has. If the record has been
   * moved by somebody else, the stream fails.
   */
  async settle(commitId: string): Promise<string | undefined> {
    const entry = await this.o.kv.get(this.key);
    if (entry.versionstamp === this.#versionstamp) {
      await this.#ensureFloor();
      return undefined;
    }
    const record = decodeRecord(StreamRecordSchema, FORMAT.stream, 0, entry.value);
    if (record?.commitId === commitId && entry.versionstamp !== null) return entry.versionstamp;
    this.fail(this.#lost());
    return undefined;
  }

  /** If the floor has risen since the stream was opened as a new one, it has to be opened again. */
  async #ensureFloor(): Promise<void> {
    if (this.#versionstamp !== null || !this.#floor) return;
    const entry = await this.o.kv.get(this.#floor.key);
    if (entry.versionstamp === this.#floor.versionstamp) return;
    this.fail(unavailable("Cannot begin the stream just now: records of others are being removed"));
  }

  async #readAgain(): Promise<void> {
    const { tenant, kind, id } = this.name;
    const [entry, rejections] = await this.o.kv.getMany([this.key, rejectionsKey(tenant, kind, id)]);
    const now = this.o.kv.clock.now();
    const record = decodeRecord(StreamRecordSchema, FORMAT.stream, now, entry.value);
    if (!record) throw this.#lost();
    const found = decodeRecord(StreamRejectionsSchema, FORMAT.rejections, now, rejections.value);
    if (found) this.#rejections = found;
    this.#record = record;
    this.#versionstamp = entry.versionstamp;
  }

  #lost() {
    return aborted(`Another call has gone on with the stream ${JSON.stringify(this.name.id)}`);
  }

  #expires({ updatedAt }: StreamRecord): number {
    return Math.max(Number(updatedAt), this.name.beganAt) + this.o.streamLifetime;
  }
}
