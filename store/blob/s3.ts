/**
 * Blobs in an S3-compatible bucket. A piece is a run of objects that never change, one for each part that was flushed:
 * `PREFIX<blob id>/<epoch>/<offset of the part in its piece, 12 digits or more>`. A reader finds the parts by listing, which S3
 * answers with all that was written before.
 *
 * Not one object a piece by multipart upload: nothing of that can be read before it is completed, so whoever goes on with
 * a dead writer's blob would have to complete it first, and an upload that nobody completes costs money for ever. Here a
 * successor has nothing to do, and a request that arrives late makes an object that no committed length reaches.
 *
 * @module
 */
import { Code, ConnectError } from "@connectrpc/connect";
import { S3_CONCURRENT_DELETES } from "../../limits.ts";
import type { BlobStore, ByteRange, Piece } from "../types.ts";
import { missingBytes, pieceParts } from "./parts.ts";
import { S3Client, type S3Platform } from "./s3_client.ts";
import type { S3Object } from "./s3_listing.ts";
import type { S3Config, S3Sign } from "./s3_signer.ts";
import { type ListedPart, PartLists } from "./s3_parts.ts";
import { type HeldBytes, PartWriter } from "./s3_writer.ts";

const PART_KEY = /^([0-9A-Z]{26})\/(\d+)\/(\d{12,})$/;

/** A store in a bucket, which exists. What the server refuses, or does not answer in time, is UNAVAILABLE. */
export function createS3BlobStore(config: S3Config, platform: S3Platform, sign?: S3Sign): BlobStore {
  const client = new S3Client(config, platform, sign);
  const held: HeldBytes = { bytes: 0 };
  const pieceKeys = (blobId: string, epoch: number) => `${config.prefix}${blobId}/${epoch}/`;
  const partKey = (blobId: string, epoch: number, offset: number) =>
    pieceKeys(blobId, epoch) + String(offset).padStart(12, "0");

  async function* pages(prefix: string): AsyncGenerator<readonly S3Object[]> {
    let after: string | undefined;
    do {
      const page = await client.list(prefix, { after });
      yield page.objects;
      after = page.next;
    } while (after !== undefined);
  }

  const lists = new PartLists(async (blobId, epoch) => {
    const parts: ListedPart[] = [];
    for await (const page of pages(pieceKeys(blobId, epoch))) {
      for (const { key, size } of page) {
        const match = PART_KEY.exec(key.slice(config.prefix.length));
        if (match) parts.push({ offset: Number(match[3]), size });
      }
    }
    return parts;
  });

  return {
    async create(blobId, epoch) {
      const { objects } = await client.list(pieceKeys(blobId, epoch), { limit: 1 });
      if (objects.length > 0) throw new ConnectError(`piece ${blobId}.${epoch} exists`, Code.AlreadyExists);
      return new PartWriter((offset, data, ended) => client.put(partKey(blobId, epoch, offset), data, ended), held);
    },

    async *read(blobId: string, pieces: readonly Piece[], range: ByteRange) {
      for (const part of pieceParts(pieces, range)) {
        const missing = () => missingBytes(blobId, part.epoch);
        const spans = await lists.spansOf(blobId, part);
        if (!spans) throw missing();
        for (const { offset, start, end } of spans) {
          yield* client.read(partKey(blobId, part.epoch, offset), start, end, missing);
        }
      }
    },

    async *list() {
      let piece: { blobId: string; epoch: number; changedAt: number } | undefined;
      // Keys come sorted, so those of a piece come one after the other.
      for await (const page of pages(config.prefix)) {
        for (const { key, changedAt } of page) {
          const match = PART_KEY.exec(key.slice(config.prefix.length));
          if (!match) continue;
          const [blobId, epoch] = [match[1], Number(match[2])];
          if (piece?.blobId === blobId && piece.epoch === epoch) {
            piece.changedAt = Math.max(piece.changedAt, changedAt);
          } else {
            if (piece) yield piece;
            piece = { blobId, epoch, changedAt };
          }
        }
      }
      if (piece) yield piece;
    },

    async remove(blobId, epoch) {
      lists.forget(blobId, epoch);
      for await (const page of pages(pieceKeys(blobId, epoch))) {
        const keys = page.map(({ key }) => key);
        // One by one: DeleteObjects needs a body of its own, and a digest of that, and not every server has it.
        const removing = Array.from({ length: S3_CONCURRENT_DELETES }, async () => {
          for (let key = keys.pop(); key !== undefined; key = keys.pop()) await client.remove(key);
        });
        // What is under way ends before a failure is reported: nothing goes on behind the caller's back.
        const failed = (await Promise.allSettled(removing)).find((result) => result.status === "rejected");
        if (failed) throw failed.reason;
      }
    },
  };
}
