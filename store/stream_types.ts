/**
 * What services ask of the store of streams; see types.ts for the others.
 *
 * @module
 */

/** What a stream carries; ids of different kinds have nothing to do with each other. */
export type StreamKind = "file" | "points" | "logs";

/** What a call says of its stream. */
export interface StreamCall {
  readonly id: string;
  /** Time of the id's ULID, ms since the epoch. */
  readonly beganAt: number;
  /** Sequence of the call's first item. Of a file its chunks say it. */
  readonly start: number;
  /** Items of the whole stream, if this call says so. */
  readonly end: number | undefined;
}

/** An item of a stream that was refused; `index` is its sequence. */
export interface StreamRejection {
  readonly index: number;
  readonly code: string;
  readonly field: string;
  readonly reason: string;
  readonly retryable: boolean;
}

/** What is known of a file before it is finished, and then of the file. */
export interface StreamFile {
  readonly fileId: string;
  readonly name: string;
  /** 0 if unknown. */
  readonly totalSize: number;
  readonly contentType: string;
  readonly chunkCount: number;
  /** Lower-case hex SHA-256 of a finished file; empty before. */
  readonly sha256: string;
  /** ms since the epoch; 0 before it is finished. */
  readonly createdAt: number;
}

/** How far a stream is durable, and what became of its items. */
export interface StreamInfo {
  readonly kind: StreamKind;
  readonly id: string;
  /** An expired one was an upload that stood still and was removed. */
  readonly state: "open" | "finished" | "expired";
  readonly epoch: number;
  /** Items from its beginning that are durable or refused; of a file its bytes. */
  readonly committed: number;
  readonly accepted: number;
  readonly rejected: number;
  readonly filtered: number;
  readonly duplicates: number;
  /** Raw bytes of the items, about. */
  readonly bytes: number;
  /** Items of the whole stream, once that is known. */
  readonly end: number | undefined;
  /** The first of the refused items; none where streams are listed. */
  readonly rejections: readonly StreamRejection[];
  /** ms since the epoch. */
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly file: StreamFile | undefined;
}

/** A call's hold on its stream. */
export interface Stream {
  /** As it is durable now. */
  readonly info: StreamInfo;
  /** Whether nothing of it was durable when the call began. */
  readonly isNew: boolean;
  /** Beginning of the SHA-256 of item 0; undefined if that is not durable. */
  readonly firstHash: Uint8Array | undefined;
  /**
   * Makes this call the stream's one writer: what another one wants to commit from now on fails. ABORTED if another call
   * has done the same meanwhile. `firstHash` is that of item 0, if the call has it.
   */
  take(firstHash?: Uint8Array): Promise<void>;
  /** Counts items that came again; the next commit keeps the count. */
  addDuplicates(count: number): void;
  /** The call has broken off, and `work` makes durable what it has brought: others that ask for the stream here wait for it. */
  endWith(work: Promise<unknown>): void;
}

export interface StreamStore {
  /**
   * The stream that a call goes on with, or a new one. OUT_OF_RANGE for a start past what is committed;
   * FAILED_PRECONDITION for one that is unknown and cannot be new; INVALID_ARGUMENT for one from the future and an end that
   * cannot be; RESOURCE_EXHAUSTED if there are too many. Changes nothing.
   */
  open(tenant: string, kind: StreamKind, call: StreamCall): Promise<Stream>;
  get(tenant: string, kind: StreamKind, id: string): Promise<StreamInfo | undefined>;
  /** By id, those after the id `after`; only unfinished ones if `open`. */
  list(
    tenant: string,
    kind: StreamKind,
    options: { readonly open: boolean; readonly limit: number; readonly after: string | undefined },
  ): Promise<{ readonly streams: readonly StreamInfo[]; readonly next: string | undefined }>;
}

/** Where a batch stands in its stream, and what of it is not kept. */
export interface BatchPlace {
  /** Sequence of the batch's first item. */
  readonly first: number;
  /** Items of the batch, kept or not. */
  readonly count: number;
  /** Place in the batch of each item that is kept; undefined if all are. */
  readonly kept: Int32Array | undefined;
  /** Refused items in their order. */
  readonly refused: readonly StreamRejection[];
}
