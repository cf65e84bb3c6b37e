/**
 * Opens uploads: new ones, and those that a stream goes on with, on whichever process that began.
 *
 * @module
 */
import { aborted } from "../../errors.ts";
import { BLOCK_BYTES, BLOCKS_PER_VALUE } from "../../limits.ts";
import type { FreeSpace } from "../free_space.ts";
import type { Rehash } from "../rehash/rehash.ts";
import type { BlobStore, UploadStream } from "../types.ts";
import { decodeBlockSums, RunningSums } from "./block_sums.ts";
import { blocksKey } from "./keys.ts";
import type { KvClient } from "./kv.ts";
import { DirectHash, type KeptHashes, RebuiltHash, type RunningHash } from "./running_hash.ts";
import { StreamHandle } from "./stream_handle.ts";
import { expired, readClaim, type StoredClaim, UploadClaim, type UploadClaimOptions } from "./upload_claim.ts";
import { UploadOutput } from "./upload_output.ts";

export interface UploadOptions extends UploadClaimOptions {
  readonly blobs: BlobStore;
  readonly space: FreeSpace;
  readonly rehash: Rehash;
  readonly kept: KeptHashes;
}

export interface Upload {
  readonly claim: UploadClaim;
  readonly hash: RunningHash;
  readonly output: UploadOutput;
  readonly kept: KeptHashes;
}

/**
 * Takes the stream, if there is one, and claims its blob. ABORTED if another call goes on with the stream,
 * FAILED_PRECONDITION if the sweep has taken the upload.
 */
export async function openUpload(options: UploadOptions, tenant: string, upload?: UploadStream): Promise<Upload> {
  const handle = upload && StreamHandle.of(upload.stream);
  await handle?.take();
  const found = handle && !handle.isNew ? await readTaken(options.kv, handle) : undefined;
  const claim = new UploadClaim(options, {
    tenant,
    blobId: handle?.info.file?.fileId ?? options.newId(),
    epoch: handle?.info.epoch ?? 1,
    stream: handle && upload && { handle, file: { ...upload.file } },
  }, found);
  const sums = await readSums(options.kv, claim);
  // From here on the claim says that there may be a piece of this epoch.
  await claim.move(claim.position, []);
  const hash = openHash(options, claim);
  return { claim, hash, output: new UploadOutput({ ...options, claim, sums, hash }), kept: options.kept };
}

/** The claim of a stream that was taken. */
async function readTaken(kv: KvClient, handle: StreamHandle): Promise<StoredClaim> {
  const { state, file, committed, id } = handle.info;
  if (state === "finished") throw aborted(`Another call has finished the stream ${JSON.stringify(id)}`);
  const claim = state === "open" && file ? await readClaim(kv, file.fileId) : undefined;
  if (!claim) throw expired();
  // They move together; so somebody has taken the stream and committed meanwhile.
  if (Number(claim.record.committed) !== committed) throw aborted(`Another call has gone on with the stream ${id}`);
  return claim;
}

/** The checksums up to where the upload is. */
async function readSums(kv: KvClient, { position, origin }: UploadClaim): Promise<RunningSums> {
  const full = Math.floor(position.length / BLOCK_BYTES);
  const count = full % BLOCKS_PER_VALUE;
  if (count === 0) return new RunningSums(position);
  const { value } = await kv.get(blocksKey(origin.blobId, Math.floor(full / BLOCKS_PER_VALUE)));
  return new RunningSums(position, decodeBlockSums(value, count));
}

function openHash({ kv, rehash, kept }: UploadOptions, claim: UploadClaim): RunningHash {
  const { blobId } = claim.origin;
  const { length } = claim.position;
  if (length === 0) return new DirectHash();
  const known = kept.take(blobId, length);
  if (known) return known;
  const hash = new RebuiltHash(kv, blobId, rehash);
  hash.committed(claim.pieces());
  return hash;
}
