/**
 * Files: records, claims, checksums of blocks, and every byte.
 *
 * @module
 */
import { createHash } from "node:crypto";
import {
  type BlobRecord,
  BlobRecordSchema,
  FileRecordSchema,
  type Piece,
  StreamRecordSchema,
  StreamState,
} from "../../gen/sluice/store/v1/records_pb.ts";
import { FORMAT } from "../format/value.ts";
import { blobKey, fileKey, runKey, type RunKind, streamKey } from "../kv/keys.ts";
import type { Fault, Judge, Judged } from "./judge.ts";
import { lengthOf, readBlocks } from "./blob_bytes.ts";
import { parseRecord } from "./view.ts";

const piecesText = (pieces: readonly Piece[]) => pieces.map(({ epoch, length }) => `${epoch}:${length}`).join();

export const judgeFile: Judge = async function* (judged) {
  const { key, payload, view, counts } = judged;
  const [, tenant, id] = key as [string, string, string];
  const record = parseRecord(FileRecordSchema, payload);
  counts.files++;
  const length = lengthOf(record.pieces);
  if (length !== record.size) yield { what: `its pieces have ${length} bytes, and its size is ${record.size}` };
  const claim = await view.record(BlobRecordSchema, FORMAT.blob, blobKey(id));
  if (claim.state === "missing") yield { what: "its blob has no claim" };
  if (claim.state === "intact") {
    const { finished, tenant: claimant, pieces } = claim.value;
    if (!finished) yield { what: "the claim of its blob is not finished" };
    if (claimant !== tenant) yield { what: `its blob is claimed by the tenant ${claimant}` };
    if (piecesText(pieces) !== piecesText(record.pieces)) yield { what: "the claim of its blob has other pieces" };
  }
  const hash = createHash("sha256");
  const read = await readBlocks(judged, id, record.pieces, undefined, (block) => hash.update(block));
  yield* read.faults;
  if (read.isWhole && hash.digest("hex") !== record.sha256.toHex()) {
    yield { what: "its SHA-256 is not that of its bytes" };
  }
};

export const judgeClaim: Judge = async function* (judged) {
  const { key, payload, view, counts } = judged;
  const [, id] = key as [string, string];
  const claim = parseRecord(BlobRecordSchema, payload);
  const length = lengthOf(claim.pieces);
  if (length !== claim.committed) {
    yield { what: `its pieces have ${length} bytes, and committed is ${claim.committed}` };
  }
  if (claim.pieces.some(({ epoch }) => epoch > claim.epoch)) {
    yield { what: `a piece is of an epoch past ${claim.epoch}` };
  }
  if (claim.finished) {
    const { tenant, run } = claim;
    const named = await view.get(run ? runKey(run.kind as RunKind, tenant, Number(run.day), id) : fileKey(tenant, id));
    if (named.value === null) yield { what: `it is finished, and there is no such ${run ? "run" : "file"}` };
    return;
  }
  counts.uploads++;
  // A call without a stream that fails removes its bytes first, for nobody can go on with them.
  if (claim.streamId === "") return;
  yield* judgeClaimedStream(judged, id, claim);
  const { faults } = await readBlocks(judged, id, claim.pieces, claim.tailSum);
  yield* faults;
};

async function* judgeClaimedStream(
  { view, expires, options: { clock } }: Judged,
  id: string,
  claim: BlobRecord,
): AsyncGenerator<Fault> {
  const stream = await view.record(StreamRecordSchema, FORMAT.stream, streamKey(claim.tenant, "file", claim.streamId));
  // Where records live for less long than uploads may stand still, the record goes before the claim.
  if (stream.state === "missing" && expires > clock.now()) yield { what: `its stream ${claim.streamId} has no record` };
  if (stream.state !== "intact") return;
  const { state, committed, upload } = stream.value;
  if (state !== StreamState.OPEN) yield { what: `its stream ${claim.streamId} is not open` };
  if (upload?.blobId !== id) yield { what: `its stream ${claim.streamId} has another blob` };
  if (committed !== claim.committed) {
    yield { what: `${claim.committed} bytes are committed, and its stream ${claim.streamId} has ${committed}` };
  }
}

export const judgeBlockSums: Judge = async function* ({ key, view }) {
  const [, id] = key as [string, string];
  if ((await view.get(blobKey(id))).value === null) yield { what: "nobody claims their blob", garbage: true };
};
