/**
 * What services ask of the store of deletions.
 *
 * @module
 */

/** What is deleted. A condition that is not there holds for all. */
export type DeletedItems =
  & {
    /** ms since the epoch: from `from` (inclusive) up to `to` (exclusive). */
    readonly from: number;
    readonly to: number;
  }
  & (
    | {
      readonly kind: "points";
      readonly source?: string;
      readonly metric?: string;
      readonly tags: readonly (readonly [key: string, value: string])[];
    }
    | { readonly kind: "logs"; readonly application?: string }
  );

/** A file that was deleted. */
export interface DeletedFile {
  readonly kind: "file";
  readonly id: string;
  readonly name: string;
  /** In bytes. */
  readonly size: number;
  readonly sha256: Uint8Array;
}

/** A deletion. */
export interface DeletionInfo {
  /** A ULID. */
  readonly id: string;
  readonly items: DeletedItems | DeletedFile;
  /** ms since the epoch. */
  readonly createdAt: number;
  /** When nothing of it was left on the disk; 0 before that. */
  readonly doneAt: number;
}

export interface DeletionStore {
  /**
   * Deletes what is committed by now. Once this resolves, no answer has any of it. UNAVAILABLE if that is not known.
   * RESOURCE_EXHAUSTED while too many are under way.
   */
  add(tenant: string, items: DeletedItems): Promise<DeletionInfo>;
  /** The newest first, those older than the id `before`. */
  list(tenant: string, limit: number, before: string | undefined): Promise<readonly DeletionInfo[]>;
}
