/**
 * Uploads that stood still.
 *
 * The claim goes first, under its versionstamp, and in the same atomic operation the stream that the file came by is marked
 * as expired. From then on neither a finish that comes late nor a call that would go on with the stream can have the
 * bytes, and they can go.
 *
 * @module
 */
import {
  type BlobRecord,
  BlobRecordSchema,
  StreamRecordSchema,
  StreamState,
} from "../../../gen/sluice/store/v1/records_pb.ts";
import { FORMAT } from "../../format/value.ts";
import type { Mutation } from "../../types.ts";
import { streamKey } from "../keys.ts";
import type { Check, Entry } from "../kv.ts";
import { decodeRecord } from "../records.ts";
import { streamBeganAt } from "../stream_floor.ts";
import { recordMutations } from "../stream_record.ts";
import { removeBlocks } from "./pieces.ts";
import { deletion, type Round } from "./round.ts";
import type { Walk } from "./walk.ts";

/** Returns how many it removed. */
export async function removeUploads(round: Round, claims: Walk): Promise<number> {
  let removed = 0;
  for await (const page of claims.pages()) {
    for (const claim of page) {
      if (!round.isExpired(claim)) continue;
      if (await removeUpload(round, claim)) removed++;
      await round.pace();
    }
    await round.pace();
  }
  return removed;
}

async function removeUpload(round: Round, claim: Entry): Promise<boolean> {
  const { kv, blobs } = round.options;
  const record = kv.decodeOrSkip(claim, () => decodeRecord(BlobRecordSchema, FORMAT.blob, 0, claim.value));
  if (!record) return false;
  const blobId = claim.key[1] as string;
  const stream = await expireStream(round, record, blobId);
  if (!stream || !await round.atomic([claim, ...stream.checks], [deletion(claim), ...stream.mutations])) return false;
  await removeBlocks(round, blobId);
  // Epochs that have committed nothing may have left pieces too: the sweep of pieces finds them, and so what is left here
  // if this is as far as it gets.
  for (const epoch of new Set([...record.pieces.map((piece) => piece.epoch), record.epoch])) {
    await blobs.remove(blobId, epoch);
    await round.pace();
  }
  return true;
}

/**
 * What marks the stream of an upload as expired; nothing if there is no such stream any more, undefined if its record is
 * damaged: then all is kept.
 */
async function expireStream(
  round: Round,
  { tenant, streamId }: BlobRecord,
  blobId: string,
): Promise<{ readonly checks: readonly Check[]; readonly mutations: readonly Mutation[] } | undefined> {
  const { kv, clock, streamLifetime } = round.options;
  if (streamId === "") return { checks: [], mutations: [] };
  const entry = await kv.get(streamKey(tenant, "file", streamId));
  if (entry.value === null) return { checks: [entry], mutations: [] };
  return kv.decodeOrSkip(entry, () => {
    const record = decodeRecord(StreamRecordSchema, FORMAT.stream, 0, entry.value);
    if (record?.state !== StreamState.OPEN || record.upload?.blobId !== blobId) {
      return { checks: [entry], mutations: [] };
    }
    const now = clock.now();
    const beganAt = streamBeganAt(streamId);
    const expired = { ...record, state: StreamState.EXPIRED, updatedAt: BigInt(now) };
    const name = { tenant, kind: "file" as const, id: streamId, beganAt };
    return {
      checks: [entry],
      mutations: recordMutations(name, record, expired, Math.max(now, beganAt) + streamLifetime),
    };
  });
}
