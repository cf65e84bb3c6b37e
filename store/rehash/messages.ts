/**
 * What the thread that reads blobs again and the one that it does so for tell each other.
 *
 * @module
 */
import type { RawConfig } from "../open_raw.ts";
import type { Piece } from "../types.ts";
import type { BlobDigest } from "./rehash.ts";

/** `job` is a number that the asking thread gives. */
export type Order =
  | { readonly type: "open"; readonly config: RawConfig }
  | { readonly type: "start"; readonly job: number; readonly blobId: string }
  | { readonly type: "follow"; readonly job: number; readonly pieces: readonly Piece[] }
  | { readonly type: "digest"; readonly job: number; readonly id: number }
  | { readonly type: "cancel"; readonly job: number };

/** To the order "digest" with this id. */
export interface Answer {
  readonly id: number;
  readonly digest?: BlobDigest;
  /** Why there is none. */
  readonly error?: { readonly isDataLoss: boolean; readonly message: string };
}
