/**
 * What the contract of file stores is run on, and what its tests have in common.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { SECOND } from "../../limits.ts";
import { createFileBlobStore } from "../../store/blob/file.ts";
import { createKvBlobStore } from "../../store/blob/kv.ts";
import { createMemoryBlobStore } from "../../store/blob/memory.ts";
import type { BlobStore } from "../../store/types.ts";
import { NEVER, openTestStores } from "../support/stores.ts";

export type Stores = Awaited<ReturnType<typeof openTestStores>>;

export const SUBJECTS: Record<string, (fn: (stores: Stores) => Promise<void>) => Promise<void>> = {
  memory: async (fn) => {
    using stores = await openTestStores();
    await fn(stores);
  },
  kv: async (fn) => {
    using stores = await openTestStores({ blobs: createKvBlobStore });
    await fn(stores);
  },
  "large objects": async (fn) => {
    using stores = await openTestStores({ blobs: ({ clock }) => inLargeObjects(createMemoryBlobStore(clock)) });
    await fn(stores);
  },
  file: async (fn) => {
    const dir = await Deno.makeTempDir();
    try {
      using stores = await openTestStores({ blobs: () => createFileBlobStore(dir) });
      await fn(stores);
    } finally {
      await Deno.remove(dir, { recursive: true });
    }
  },
};

/** What an object has at the least, unless all is to be synced. */
const OBJECT_BYTES = 300_000;

/** A store that leaves for later what does not fill an object, as S3's does. */
function inLargeObjects(inner: BlobStore): BlobStore {
  return {
    ...inner,
    async create(blobId, epoch) {
      const piece = await inner.create(blobId, epoch);
      let held: Uint8Array[] = [];
      return {
        room: Infinity,
        append(data) {
          held.push(data.slice());
          return Promise.resolve();
        },
        async sync(all) {
          if (all || held.reduce((sum, { length }) => sum + length, 0) >= OBJECT_BYTES) {
            for (const data of held) await piece.append(data);
            held = [];
          }
          return await piece.sync(all);
        },
        seal: () => piece.seal(),
      };
    },
  };
}

/** Another instance on the same stores. */
export function another(stores: Stores): Promise<Stores> {
  const { db, clock, blobs } = stores;
  return openTestStores({ db, clock, blobs: () => blobs });
}

export function content(length: number): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(length);
  for (let i = 0; i < length; i++) out[i] = (i * 7 + (i >> 11)) & 0xff;
  return out;
}

export function sha256(data: Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}

export async function readAll(stores: Stores, id: string, start: number, end: number): Promise<Uint8Array> {
  return new Uint8Array(
    await new Response(ReadableStream.from(stores.files.read("t", id, { start, end }, NEVER))).arrayBuffer(),
  );
}

export async function pieces(stores: Stores): Promise<number> {
  let count = 0;
  for await (const _ of stores.blobs.list()) count++;
  return count;
}

/** Lets three seconds pass, and what their timers began come to its end. */
export async function settle({ clock }: Stores): Promise<void> {
  for (let i = 0; i < 3; i++) {
    clock.advance(SECOND);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
