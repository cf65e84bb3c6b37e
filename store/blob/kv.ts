/**
 * Blobs in KV, for where there is no disk (Deno Deploy): a piece is values of 60 KiB under `piece`, blob id, epoch, n.
 * `sync` writes nothing itself but hands its values out, so that they are in the very commit that counts them.
 *
 * @module
 */
import { Code, ConnectError } from "@connectrpc/connect";
import { decodeTime } from "ulid";
import { KV_PIECE_BYTES } from "../../limits.ts";
import { encodeValue, FORMAT } from "../format/value.ts";
import { pieceKey, piecePrefix, piecesPrefix } from "../kv/keys.ts";
import type { KvClient } from "../kv/kv.ts";
import { openValue } from "../kv/records.ts";
import type { BlobStore, ByteRange, Mutation, Piece, PieceWriter } from "../types.ts";
import { missingBytes, pieceParts } from "./parts.ts";

/** Values that one commit takes, leaving room for the records beside them. */
const VALUES_PER_SYNC = 10;

export function createKvBlobStore(kv: KvClient): BlobStore {
  return {
    async create(blobId, epoch) {
      for await (const _ of kv.pages({ prefix: piecePrefix(blobId, epoch) }, { batch: 1 })) {
        throw new ConnectError(`piece ${blobId}.${epoch} exists`, Code.AlreadyExists);
      }
      return pieceWriter(blobId, epoch);
    },

    async *read(blobId: string, pieces: readonly Piece[], range: ByteRange) {
      for (const part of pieceParts(pieces, range)) {
        const first = Math.floor(part.start / KV_PIECE_BYTES);
        const end = Math.ceil(part.end / KV_PIECE_BYTES);
        let n = first;
        const selector = { start: pieceKey(blobId, part.epoch, first), end: pieceKey(blobId, part.epoch, end) };
        for await (const page of kv.pages(selector, { batch: 16 })) {
          for (const entry of page) {
            const at = n * KV_PIECE_BYTES;
            const value = openValue(FORMAT.piece, 0, entry.value);
            const from = Math.max(part.start - at, 0);
            const to = Math.min(part.end - at, KV_PIECE_BYTES);
            if (entry.key[3] !== n || !value || value.length < to) throw missingBytes(blobId, part.epoch);
            yield value.subarray(from, to);
            n++;
          }
        }
        if (n !== end) throw missingBytes(blobId, part.epoch);
      }
    },

    async *list() {
      let start: Deno.KvKey = piecesPrefix;
      for (;;) {
        // One look a piece: the next one begins behind the last value that this one can have.
        let found: Deno.KvKey | undefined;
        const selector = start === piecesPrefix ? { prefix: piecesPrefix } : { start, prefix: piecesPrefix };
        for await (const [entry] of kv.pages(selector, { batch: 1 })) {
          found = entry.key;
          break;
        }
        if (!found) return;
        const [, blobId, epoch] = found as [string, string, number];
        yield { blobId, epoch, changedAt: decodeTime(blobId) };
        start = pieceKey(blobId, epoch, Infinity);
      }
    },

    async remove(blobId, epoch) {
      for await (const page of kv.pages({ prefix: piecePrefix(blobId, epoch) })) {
        // Deleting twice does no harm, so this needs no check.
        await kv.atomic([], page.map(({ key }) => ({ type: "delete", key })));
      }
    },
  };
}

function pieceWriter(blobId: string, epoch: number): PieceWriter {
  let synced = 0;
  let length = 0;
  /** Values from the one that `synced` lies in; the last may be partial. */
  let values: Uint8Array[] = [];

  return {
    get room() {
      const begin = Math.floor(synced / KV_PIECE_BYTES) * KV_PIECE_BYTES;
      return begin + VALUES_PER_SYNC * KV_PIECE_BYTES - length;
    },
    append(data) {
      let rest = data;
      while (rest.length > 0) {
        const at = length % KV_PIECE_BYTES;
        if (at === 0) values.push(new Uint8Array(KV_PIECE_BYTES));
        const part = rest.subarray(0, KV_PIECE_BYTES - at);
        values[values.length - 1].set(part, at);
        length += part.length;
        rest = rest.subarray(part.length);
      }
      return Promise.resolve();
    },
    sync() {
      const first = Math.floor(synced / KV_PIECE_BYTES);
      const mutations: Mutation[] = values.map((value, i) => ({
        type: "set",
        key: pieceKey(blobId, epoch, first + i),
        value: encodeValue(
          FORMAT.piece,
          0,
          value.subarray(0, Math.min(length - (first + i) * KV_PIECE_BYTES, KV_PIECE_BYTES)),
        ),
      }));
      synced = length;
      // A partial value is written again, longer, by the next sync.
      values = length % KV_PIECE_BYTES === 0 ? [] : values.slice(-1);
      return Promise.resolve({ length, mutations });
    },
    seal: () => Promise.resolve(),
  };
}
