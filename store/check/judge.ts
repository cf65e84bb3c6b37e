/**
 * What judges a value of one kind.
 *
 * @module
 */
import type { Clock } from "../../clock.ts";
import type { KvClient } from "../kv/kv.ts";
import type { BlobStore } from "../types.ts";
import type { Counts } from "./counts.ts";
import type { AnyEntry, View } from "./view.ts";

export interface CheckOptions {
  readonly kv: KvClient;
  readonly blobs: BlobStore;
  readonly clock: Clock;
  /** How long points and logs are kept, ms: what is older may be on its way out. */
  readonly retention: number;
}

/** What is wrong with a value, or with what it names. */
export interface Fault {
  readonly what: string;
  /** Bytes that nobody needs, which the sweep takes: no damage. */
  readonly garbage?: boolean;
}

/** One value under its key, out of its envelope. */
export interface Judged {
  readonly options: CheckOptions;
  readonly entry: AnyEntry;
  /** The entry's key, whose shape is that of its kind. */
  readonly key: Deno.KvKey;
  readonly payload: Uint8Array;
  /** ms since the epoch; 0 is never. */
  readonly expires: number;
  /** Through which everything else in KV is read. */
  readonly view: View;
  readonly counts: Counts;
}

/** Yields what is wrong. What it throws as DamagedError or DATA_LOSS is wrong too. */
export type Judge = (judged: Judged) => AsyncIterable<Fault>;
