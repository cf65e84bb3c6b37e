import { createFileBlobStore } from "../../store/blob/file.ts";
import { createKvBlobStore } from "../../store/blob/kv.ts";
import { createMemoryBlobStore } from "../../store/blob/memory.ts";
import { KvClient } from "../../store/kv/kv.ts";
import { systemClock } from "../../clock.ts";
import { blobStoreContract } from "./blob_contract.ts";

blobStoreContract("memory", () =>
  Promise.resolve({
    store: createMemoryBlobStore(systemClock),
    commit: () => Promise.resolve(),
    close: () => Promise.resolve(),
  }));

blobStoreContract("file", async () => {
  const dir = await Deno.makeTempDir();
  return {
    store: createFileBlobStore(dir),
    commit: () => Promise.resolve(),
    close: () => Deno.remove(dir, { recursive: true }),
  };
});

blobStoreContract("kv", async () => {
  const db = await Deno.openKv(":memory:");
  const kv = new KvClient(db, systemClock);
  return {
    store: createKvBlobStore(kv),
    commit: async (mutations) => {
      await kv.atomic([], mutations);
    },
    close: () => {
      db.close();
      return Promise.resolve();
    },
  };
});
