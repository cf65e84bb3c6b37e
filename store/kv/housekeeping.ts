/**
 * Removes what nobody may see any more: hours past retention, series that are no longer used, uploads that stood still,
 * and pieces that nobody claims. In steps of at most a page of keys and 100 ms, so that commits keep their latency.
 *
 * KV's own `expireIn` is not used: a local KV removes all that expired in one transaction, which stops everything else
 * for seconds, and ends the process if the disk is full at that moment.
 *
 * @module
 */
import type { Clock } from "../../clock.ts";
import { BlobRecordSchema } from "../../gen/sluice/store/v1/records_pb.ts";
import { HOUR, HOUSEKEEPING_STEP_MS, KV_MAX_CHECKS } from "../../limits.ts";
import { decodeValue, FORMAT } from "../format/value.ts";
import type { BlobStore, Mutation } from "../types.ts";
import { blobKey, blobsPrefix, blocksPrefix, type HourKind, seriesPrefix } from "./keys.ts";
import type { Entry, KvClient } from "./kv.ts";
import { decodeRecord } from "./records.ts";

export interface HousekeepingOptions {
  readonly kv: KvClient;
  readonly blobs: BlobStore;
  readonly clock: Clock;
  /** How long points and logs are kept, ms. */
  readonly retention: number;
  /** How long an upload may stand still, ms. */
  readonly uploadExpiry: number;
}

/** What a round removed. */
export interface Removed {
  hours: number;
  series: number;
  uploads: number;
  pieces: number;
}

/** One round. Can be stopped between any two steps, and may die anywhere: the next round goes on. */
export async function keepHouse(options: HousekeepingOptions, signal: AbortSignal): Promise<Removed> {
  const removed: Removed = { hours: 0, series: 0, uploads: 0, pieces: 0 };
  for (const kind of ["points", "logs", "logindex"] as const) removed.hours += await removeHours(options, kind, signal);
  removed.series = await removeSeries(options, signal);
  removed.uploads = await removeUploads(options, signal);
  removed.pieces = await removePieces(options, signal);
  return removed;
}

/** The first key's second part for each tenant that has any under this prefix. */
async function* tenantsOf(kv: KvClient, kind: string): AsyncGenerator<string> {
  let start: Deno.KvKey | undefined;
  for (;;) {
    let tenant: string | undefined;
    const selector = start ? { prefix: [kind], start } : { prefix: [kind] };
    for await (const [entry] of kv.pages(selector, { batch: 1 })) {
      tenant = entry.key[1] as string;
      break;
    }
    if (tenant === undefined) return;
    yield tenant;
    // `true` sorts behind every other kind of key part.
    start = [kind, tenant, true];
  }
}

async function removeHours(options: HousekeepingOptions, kind: HourKind, signal: AbortSignal): Promise<number> {
  const { kv, clock, retention } = options;
  // The first hour that may hold something retained.
  const end = Math.floor((clock.now() - retention) / HOUR);
  let removed = 0;
  for await (const tenant of tenantsOf(kv, kind)) {
    const pace = createPace(clock, signal);
    for await (const page of kv.pages({ prefix: [kind, tenant], end: [kind, tenant, end] })) {
      // No check: segments never change, and their keys are never used again.
      await kv.atomic([], page.map(deletion));
      removed += page.length;
      await pace();
    }
  }
  return removed;
}

async function removeSeries(options: HousekeepingOptions, signal: AbortSignal): Promise<number> {
  const { kv, clock } = options;
  let removed = 0;
  for await (const tenant of tenantsOf(kv, "series")) {
    const pace = createPace(clock, signal);
    for await (const page of kv.pages({ prefix: seriesPrefix(tenant) }, { batch: KV_MAX_CHECKS })) {
      const expired = page.filter((entry) => isExpired(kv, entry, clock.now()));
      // Checked, for a series that came back meanwhile has been written again.
      if (expired.length > 0 && await kv.atomic(expired, expired.map(deletion)) !== undefined) {
        removed += expired.length;
      }
      await pace();
    }
  }
  return removed;
}

/** The claim goes first, under its versionstamp; then a finish that comes late fails its check, and the pieces can go. */
async function removeUploads(options: HousekeepingOptions, signal: AbortSignal): Promise<number> {
  const { kv, blobs, clock } = options;
  let removed = 0;
  const pace = createPace(clock, signal);
  for await (const page of kv.pages({ prefix: blobsPrefix })) {
    for (const claim of page) {
      if (!isExpired(kv, claim, clock.now())) continue;
      if (await kv.atomic([claim], [deletion(claim)]) === undefined) continue;
      const blobId = claim.key[1] as string;
      const record = decodeRecord(BlobRecordSchema, FORMAT.blob, 0, claim.value);
      for (let epoch = 1; epoch <= (record?.epoch ?? 0); epoch++) await blobs.remove(blobId, epoch);
      for await (const blocks of kv.pages({ prefix: blocksPrefix(blobId) })) await kv.atomic([], blocks.map(deletion));
      removed++;
      await pace();
    }
    await pace();
  }
  return removed;
}

/**
 * What a crash between a claim's end and its pieces' leaves behind. A claim is written before its piece, so a piece
 * without one is garbage whenever it is seen; that it has to be old besides protects a store that was given the wrong KV.
 */
async function removePieces(options: HousekeepingOptions, signal: AbortSignal): Promise<number> {
  const { kv, blobs, clock, uploadExpiry } = options;
  let removed = 0;
  const pace = createPace(clock, signal);
  for await (const { blobId, epoch, changedAt } of blobs.list()) {
    await pace();
    if (changedAt > clock.now() - uploadExpiry) continue;
    if ((await kv.get(blobKey(blobId))).value !== null) continue;
    await blobs.remove(blobId, epoch);
    for await (const blocks of kv.pages({ prefix: blocksPrefix(blobId) })) await kv.atomic([], blocks.map(deletion));
    removed++;
  }
  return removed;
}

const deletion = ({ key }: { key: Deno.KvKey }): Mutation => ({ type: "delete", key });

/** What is damaged is kept for somebody to look at. */
function isExpired(kv: KvClient, entry: Entry, now: number): boolean {
  const expires = kv.decodeOrSkip(entry, () => decodeValue(entry.value).expires) ?? 0;
  return expires !== 0 && expires <= now;
}

/** Ends a step after 100 ms, so that others get their turn; throws when the round is to stop. */
function createPace(clock: Clock, signal: AbortSignal): () => Promise<void> {
  let began = clock.now();
  return async () => {
    signal.throwIfAborted();
    if (clock.now() - began < HOUSEKEEPING_STEP_MS) return;
    await new Promise<void>((resolve) => clock.setTimer(HOUSEKEEPING_STEP_MS, resolve));
    began = clock.now();
  };
}
