/**
 * The claim of an upload on its blob (BlobRecord), and the record of the stream that it comes by, if it does.
 *
 * The claim is written before a piece, moves with every commit, and is checked by every commit; with it, in the same
 * atomic, goes the stream's record. So of two writers of one upload only the newer one can commit, and the sweep, which
 * takes an expired claim first and its pieces afterwards, can never take the bytes of a file that finishes: one of the two
 * loses its check. A crash leaves the claim with what it names, and whoever goes on with the stream, or the sweep, finds both.
 *
 * @module
 */
import { aborted, failedPrecondition, unavailable } from "../../errors.ts";
import {
  type BlobRecord,
  BlobRecordSchema,
  type FileRecord,
  StreamRecordSchema,
  StreamState,
} from "../../gen/sluice/store/v1/records_pb.ts";
import { FORMAT } from "../format/value.ts";
import type { Mutation, Piece } from "../types.ts";
import { type Committer, ConflictError } from "./committer.ts";
import { blobKey } from "./keys.ts";
import type { KvClient } from "./kv.ts";
import { decodeRecord, encodeRecord } from "./records.ts";
import type { StreamHandle } from "./stream_handle.ts";

export interface UploadClaimOptions {
  readonly kv: KvClient;
  readonly committer: Committer;
  /** A ULID of this moment. */
  newId(): string;
  /** How long an upload may stand still, ms. */
  readonly uploadExpiry: number;
}

/** How far an upload is. */
export interface UploadPosition {
  /** Bytes. */
  readonly length: number;
  /** CRC-32 of the last block, if that is not full; else 0. */
  readonly tailSum: number;
  readonly chunkCount: number;
  /** Bytes of the writer's own piece. */
  readonly pieceLength: number;
}

/** What is known of the file of an upload by stream. */
export interface UploadDescription {
  readonly name: string;
  readonly contentType: string;
  /** 0 if unknown. */
  totalSize: number;
}

/** An upload that goes by no stream, or by one. */
export interface UploadOrigin {
  readonly tenant: string;
  readonly blobId: string;
  readonly epoch: number;
  readonly stream?: { readonly handle: StreamHandle; readonly file: UploadDescription };
}

/** A claim as it is stored. */
export interface StoredClaim {
  readonly record: BlobRecord;
  readonly versionstamp: string;
}

/** Reads a claim, even one that has expired: until the sweep has taken it, the upload can go on. */
export async function readClaim(kv: KvClient, blobId: string): Promise<StoredClaim | undefined> {
  const entry = await kv.get(blobKey(blobId));
  const record = decodeRecord(BlobRecordSchema, FORMAT.blob, 0, entry.value);
  return record && entry.versionstamp !== null ? { record, versionstamp: entry.versionstamp } : undefined;
}

export function toPieces({ pieces }: Pick<BlobRecord | FileRecord, "pieces">): Piece[] {
  return pieces.map(({ epoch, length }) => ({ epoch, length: Number(length) }));
}

export class UploadClaim {
  #versionstamp: string | null;
  /** Of older epochs. */
  readonly #before: readonly Piece[];
  #position: UploadPosition;

  constructor(private readonly o: UploadClaimOptions, readonly origin: UploadOrigin, stored?: StoredClaim) {
    this.#versionstamp = stored?.versionstamp ?? null;
    this.#before = stored ? toPieces(stored.record) : [];
    this.#position = {
      length: Number(stored?.record.committed ?? 0n),
      tailSum: stored?.record.tailSum ?? 0,
      chunkCount: origin.stream?.handle.info.file?.chunkCount ?? 0,
      pieceLength: 0,
    };
  }

  /** What is committed. */
  get position(): UploadPosition {
    return this.#position;
  }

  /** null before the first commit. */
  get versionstamp(): string | null {
    return this.#versionstamp;
  }

  pieces({ pieceLength } = this.#position): Piece[] {
    if (pieceLength === 0) return [...this.#before];
    return [...this.#before, { epoch: this.origin.epoch, length: pieceLength }];
  }

  /**
   * Moves the claim and the stream to `to`, together with `mutations`. ABORTED if another call has taken the stream,
   * FAILED_PRECONDITION if the upload was swept (UNAVAILABLE if it has no stream).
   */
  async move(
    to: UploadPosition,
    mutations: readonly Mutation[],
    finished?: { readonly sha256: string; readonly at: number },
  ): Promise<void> {
    const { tenant, blobId, epoch, stream } = this.origin;
    const accepted = to.length - this.#position.length;
    const move = stream?.handle.stage(
      { to: to.length, accepted, rejected: 0, filtered: 0, bytes: accepted, rejections: [] },
      {
        isFinished: finished !== undefined,
        upload: {
          blobId,
          fileName: stream.file.name,
          totalSize: BigInt(finished ? to.length : stream.file.totalSize),
          contentType: stream.file.contentType,
          chunkCount: BigInt(to.chunkCount),
          sha256: finished?.sha256,
          storedAt: finished && BigInt(finished.at),
        },
      },
    );
    const key = blobKey(blobId);
    const commitId = move?.commitId ?? this.o.newId();
    const expires = finished ? 0 : this.o.kv.clock.now() + this.o.uploadExpiry;
    const value = encodeRecord(BlobRecordSchema, FORMAT.blob, expires, {
      tenant,
      finished: finished !== undefined,
      epoch,
      committed: BigInt(to.length),
      pieces: this.pieces(to).map(({ epoch, length }) => ({ epoch, length: BigInt(length) })),
      commitId,
      streamId: stream?.handle.name.id,
      tailSum: to.tailSum,
    });
    const checks = [{ key, versionstamp: this.#versionstamp }];
    try {
      this.#versionstamp = await this.o.committer.commit({
        checks: move ? [...checks, ...move.checks] : checks,
        mutations: [...mutations, { type: "set", key, value }, ...move?.mutations ?? []],
        proof: { key, value },
      });
    } catch (error) {
      if (!(error instanceof ConflictError)) throw error;
      const versionstamp = await stream?.handle.settle(commitId);
      if (versionstamp === undefined) throw await this.#lost(error);
      this.#versionstamp = versionstamp;
    }
    move?.apply(this.#versionstamp);
    this.#position = to;
  }

  /** Why a check did not hold. */
  async #lost(conflict: ConflictError) {
    const handle = this.origin.stream?.handle;
    if (!handle) return unavailable("Cannot go on with the upload: it has expired", conflict);
    const [stream, claim] = await this.o.kv.getMany([handle.key, blobKey(this.origin.blobId)]);
    const record = decodeRecord(StreamRecordSchema, FORMAT.stream, 0, stream.value);
    if (record ? record.state === StreamState.EXPIRED : !handle.isNew) return expired();
    if (handle.failure !== undefined) return handle.failure;
    if (claim.versionstamp === this.#versionstamp) {
      return unavailable("Cannot commit: the key-value store reports a conflict that is none", conflict);
    }
    return claim.value === null ? expired() : aborted("Another call has gone on with the upload");
  }
}

/** FAILED_PRECONDITION: the sweep has taken the upload. */
export function expired() {
  return failedPrecondition("Cannot go on with the upload: it stood still for too long and was removed");
}
