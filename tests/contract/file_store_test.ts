import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { Code, ConnectError } from "@connectrpc/connect";
import { BLOCK_BYTES, DAY } from "../../limits.ts";
import { createFileBlobStore } from "../../store/blob/file.ts";
import { NEVER, openTestStores } from "../support/stores.ts";
import { content, pieces, readAll, settle, sha256, type Stores, SUBJECTS } from "./file_stores.ts";

const FILE = { name: "a.txt", contentType: "text/plain", chunkCount: 3 };

async function store(stores: Stores, data: Uint8Array, chunk = 100_000) {
  const writer = await stores.files.writer("t");
  for (let at = 0; at < data.length; at += chunk) await writer.append(data.slice(at, at + chunk));
  return await writer.finish({ ...FILE, sha256: sha256(data) });
}

for (const [name, run] of Object.entries(SUBJECTS)) {
  const contract = (what: string, fn: (stores: Stores) => Promise<void>) =>
    Deno.test(`FileStore (${name}) ${what}`, () => run(fn));

  contract("keeps files of sizes around its block and value sizes", async (stores) => {
    for (const size of [0, 1, 61_440, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 2 * BLOCK_BYTES + 77]) {
      const data = content(size);
      const file = await store(stores, data);
      assertEquals([file.size, file.sha256], [size, sha256(data)]);
      assertEquals(await stores.files.get("t", file.id), file);
      assertEquals(sha256(await readAll(stores, file.id, 0, size)), file.sha256, `size ${size}`);
      const [start, end] = [Math.floor(size / 3), Math.ceil(size / 2)];
      assertEquals(await readAll(stores, file.id, start, end), data.subarray(start, end));
    }
  });

  contract("is seen by nobody before it is finished, and belongs to its tenant", async (stores) => {
    const writer = await stores.files.writer("t");
    await writer.append(content(3 * BLOCK_BYTES));
    assertEquals(await stores.files.list("t", 10, undefined), []);
    const { id } = await writer.finish(FILE);
    assertEquals((await stores.files.list("t", 10, undefined)).map((f) => f.id), [id]);
    assertEquals(await stores.files.get("u", id), undefined);
    assertEquals(await stores.files.list("u", 10, undefined), []);
    assertEquals(await stores.files.remove("u", id), false);
  });

  contract("refuses a wrong checksum and leaves nothing", async (stores) => {
    const writer = await stores.files.writer("t");
    await writer.append(content(2_000_000));
    const error = await assertRejects(() => writer.finish({ ...FILE, sha256: "0".repeat(64) }), ConnectError);
    assertEquals(error.code, Code.DataLoss);
    await writer.abort();
    assertEquals([await pieces(stores), await stores.keys()], [0, []]);
  });

  contract("removes what an aborted writer wrote", async (stores) => {
    const writer = await stores.files.writer("t");
    await writer.append(content(3 * BLOCK_BYTES + 5));
    await writer.abort();
    assertEquals([await pieces(stores), await stores.keys()], [0, []]);
  });

  contract("lists newest first, page by page, and removes", async (stores) => {
    const ids: string[] = [];
    for (let i = 0; i < 5; i++) {
      stores.clock.advance(1000);
      ids.unshift((await store(stores, content(10 + i))).id);
    }
    const first = await stores.files.list("t", 2, undefined);
    assertEquals(first.map((f) => f.id), ids.slice(0, 2));
    assertEquals((await stores.files.list("t", 9, first[1].id)).map((f) => f.id), ids.slice(2));
    assert(await stores.files.remove("t", ids[0]));
    assertEquals(await stores.files.remove("t", ids[0]), false);
    assertEquals(await stores.files.get("t", ids[0]), undefined);
    assertEquals(await pieces(stores), 4);
  });

  contract("sweeps an upload that stood still, and no other", async (stores) => {
    const kept = await store(stores, content(100));
    const dead = await stores.files.writer("t");
    await dead.append(content(1000));
    await settle(stores);
    stores.clock.advance(DAY - 4000);
    const alive = await stores.files.writer("t");
    await alive.append(content(1000));
    assertEquals((await stores.keepHouse()).uploads, 0);
    stores.clock.advance(4000);
    assertEquals((await stores.keepHouse()).uploads, 1);
    // Too late: its claim is gone, so it cannot become a file without bytes.
    const error = await assertRejects(() => dead.finish(FILE), ConnectError);
    assertEquals(error.code, Code.Unavailable);
    await dead.abort();
    await alive.finish(FILE);
    assertEquals((await stores.files.list("t", 9, undefined)).length, 2);
    assertEquals((await readAll(stores, kept.id, 0, 100)).length, 100);
    assertEquals(await pieces(stores), 2);
  });

  contract("sweeps pieces that nobody claims", async (stores) => {
    const file = await store(stores, content(BLOCK_BYTES + 1));
    // A crash between the claim's end and the piece's.
    await stores.db.delete(["blob", file.id]);
    await stores.db.delete(["file", "t", file.id]);
    stores.clock.advance(3 * DAY);
    assertEquals((await stores.keepHouse()).pieces, 1);
    assertEquals([await pieces(stores), await stores.keys()], [0, []]);
  });
}

Deno.test("FileStore.read() gives out no byte of a damaged block", async () => {
  const dir = await Deno.makeTempDir();
  try {
    using stores = await openTestStores({ blobs: () => createFileBlobStore(dir) });
    const { id } = await store(stores, content(3 * BLOCK_BYTES));
    const path = `${dir}/${id.slice(-2)}/${id}.1`;
    using file = await Deno.open(path, { read: true, write: true });
    await file.seek(BLOCK_BYTES + 12_345, Deno.SeekMode.Start);
    await file.write(Uint8Array.of(255, 254, 253));
    let got = 0;
    const error = await assertRejects(async () => {
      for await (const part of stores.files.read("t", id, { start: 0, end: 3 * BLOCK_BYTES }, NEVER)) {
        got += part.length;
      }
    }, ConnectError);
    assertEquals([got, error.code], [BLOCK_BYTES, Code.DataLoss]);
    assertStringIncludes(error.message, "Block 1");
    // What is intact is still served.
    assertEquals((await readAll(stores, id, 2 * BLOCK_BYTES, 2 * BLOCK_BYTES + 9)).length, 9);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("FileWriter: an upload that moves does not expire, however slowly it comes", async () => {
  using stores = await openTestStores();
  const writer = await stores.files.writer("t");
  for (let i = 0; i < 5; i++) {
    await writer.append(content(100));
    stores.clock.advance(DAY / 2);
    assertEquals((await stores.keepHouse()).uploads, 0);
  }
  assertEquals((await writer.finish(FILE)).size, 500);
});

Deno.test("FileStore.list() and keepHouse() pass over damaged values, and report them", async () => {
  using stores = await openTestStores();
  const kept = await store(stores, content(10));
  const damaged = await store(stores, content(11));
  for (const key of [["file", "t", damaged.id], ["blob", damaged.id]]) {
    const value = (await stores.db.get<Uint8Array>(key)).value ?? new Uint8Array(0);
    value[value.length - 1] ^= 1;
    await stores.db.set(key, value);
  }
  assertEquals((await stores.files.list("t", 10, undefined)).map((file) => file.id), [kept.id]);
  const error = await assertRejects(() => stores.files.get("t", damaged.id), ConnectError);
  assertEquals(error.code, Code.DataLoss);
  await stores.keepHouse();
  assertEquals(stores.damaged, [`file/t/${damaged.id}`, `blob/${damaged.id}`]);
});
