import { assertEquals, assertRejects } from "@std/assert";
import { Code, ConnectError } from "@connectrpc/connect";
import { createHash } from "node:crypto";
import { ulid } from "ulid";
import { BLOCK_BYTES, MIB, REHASH_IDLE_MS } from "../../../limits.ts";
import { openStores, type StoresConfig } from "../../../store/open.ts";
import { systemPlatform } from "../../../store/platform.ts";
import { blockSum } from "../../../store/kv/block_sums.ts";
import { createThreadRehash } from "../../../store/rehash/thread.ts";
import type { Rehash } from "../../../store/rehash/rehash.ts";
import type { FileInfo } from "../../../store/types.ts";
import { textBytes } from "../../support/chunks.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { storesConfig } from "../../upgrade/content.ts";

const FILE = { name: "a.csv", contentType: "text/csv", chunkCount: 1, totalSize: 0 };

/** Stores on disk with files of these sizes, and a thread that reads them again. */
async function withFiles(
  kind: "file" | "kv",
  sizes: readonly number[],
  fn: (rehash: Rehash, files: FileInfo[], clock: FakeClock, config: StoresConfig) => Promise<void>,
): Promise<void> {
  const directory = await Deno.makeTempDir();
  const clock = new FakeClock();
  const onDisk = storesConfig(directory);
  const config: StoresConfig = kind === "kv" ? { ...onDisk, blobs: { kind: "kv" } } : onDisk;
  const stores = await openStores(config, systemPlatform(clock));
  const rehash = createThreadRehash(config, clock);
  try {
    const files: FileInfo[] = [];
    for (const [seed, size] of sizes.entries()) {
      const writer = await stores.files.writer("t");
      await writer.append(textBytes(size, seed + 1));
      files.push(await writer.finish(FILE));
    }
    await fn(rehash, files, clock, config);
  } finally {
    rehash.close();
    await stores.close();
    await Deno.remove(directory, { recursive: true });
  }
}

for (const kind of ["file", "kv"] as const) {
  Deno.test(`createThreadRehash() follows many uploads at once (${kind})`, async () => {
    const sizes = [1, BLOCK_BYTES, 2 * BLOCK_BYTES + 77, 5 * MIB];
    await withFiles(kind, sizes, async (rehash, files) => {
      const digests = files.map(async ({ id, size, sha256 }, seed) => {
        const data = textBytes(size, seed + 1);
        const job = rehash.start(id);
        for (const end of [Math.ceil(size / 3), size]) {
          job.follow([{ epoch: 1, length: end }]);
          const { sha256: digest, sums } = await job.digest();
          const expected = createHash("sha256").update(data.subarray(0, end)).digest("hex");
          assertEquals(digest.toHex(), expected, `${size} up to ${end}`);
          if (end < size) continue;
          assertEquals(expected, sha256);
          const blocks = Array.from(sums.keys(), (i) => data.subarray(i * BLOCK_BYTES, (i + 1) * BLOCK_BYTES));
          assertEquals([...sums], blocks.map(blockSum));
        }
        job.cancel();
      });
      await Promise.all(digests);
    });
  });
}

Deno.test("createThreadRehash() says what it cannot read, and whether a retry can help", async () => {
  await withFiles("file", [100_000], async (rehash, [{ id }], clock, config) => {
    const missing = rehash.start(id);
    missing.follow([{ epoch: 1, length: 100_001 }]);
    assertEquals(Code[(await assertRejects(() => missing.digest(), ConnectError)).code], "DataLoss");
    const cancelled = rehash.start(id);
    cancelled.cancel();
    assertEquals(Code[(await assertRejects(() => cancelled.digest(), ConnectError)).code], "Unavailable");

    const broken = createThreadRehash({ ...config, kv: `${config.data}/none.sqlite` }, clock);
    const job = broken.start(id);
    job.follow([{ epoch: 1, length: 10 }]);
    assertEquals(Code[(await assertRejects(() => job.digest(), ConnectError)).code], "Unavailable");
    broken.close();
  });
});

Deno.test("createThreadRehash() ends its thread when it is idle, and starts another", async () => {
  await withFiles("file", [10, 20], async (rehash, [first, second], clock) => {
    for (const { id, size, sha256 } of [first, second]) {
      const job = rehash.start(id);
      job.follow([{ epoch: 1, length: size }]);
      assertEquals((await job.digest()).sha256.toHex(), sha256);
      job.cancel();
      clock.advance(REHASH_IDLE_MS);
    }
    // A thread that ends fails whoever still waits.
    const job = rehash.start(ulid());
    job.follow([{ epoch: 1, length: 1 }]);
    const digest = job.digest();
    rehash.close();
    assertEquals(Code[(await assertRejects(() => digest, ConnectError)).code], "Unavailable");
  });
});
