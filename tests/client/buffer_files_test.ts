import { assert, assertEquals, assertRejects } from "@std/assert";
import { openFileStore } from "../../client/buffer_files.ts";
import { slowCrc32 } from "../../client/buffer_record.ts";
import { type Block, type BufferMeta, type BufferStore, skipMessages } from "../../client/buffer_store.ts";
import { crc32 } from "node:zlib";
import { SluiceError } from "../../client/mod.ts";
import { Random } from "../store/format/random.ts";

const SEGMENT_BYTES = 2000;

function metaOf(committed = 0, saved = committed): BufferMeta {
  const stream = { id: "s", begun: 0, base: 0, committed, handed: committed, open: false };
  return { format: 1, kind: "points", server: "http://s", saved, streams: [stream] };
}

/** Items whose messages hold their positions. */
function blockOf(start: number, items: number, random?: Random): Block {
  const messages = Array.from({ length: items }, (_, i) => {
    const text = new TextEncoder().encode(`${start + i}${" ".repeat(random?.below(60) ?? 0)}`);
    return [0, 0, 0, 0, text.length, ...text];
  });
  return { items, bytes: new Uint8Array(messages.flat()) };
}

function positionsIn({ items, bytes }: Block): number[] {
  const positions: number[] = [];
  for (let at = 0; at < bytes.length; at += 5 + bytes[at + 4]) {
    positions.push(Number(new TextDecoder().decode(bytes.subarray(at + 5, at + 5 + bytes[at + 4]))));
  }
  assertEquals(positions.length, items);
  return positions;
}

async function readAll(store: BufferStore, from = store.first, maxBytes = 500): Promise<number[]> {
  const positions: number[] = [];
  while (from + positions.length < store.end) {
    positions.push(...positionsIn(await store.read(from + positions.length, maxBytes, store.end)));
  }
  return positions;
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "sluice-buffer-" });
  try {
    await work(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function segmentsOf(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => `${folder}/${name}`).filter((path) => path.endsWith(".items"))
    .sort();
}

async function fill(folder: string, random: Random, appends: number): Promise<number[]> {
  const store = await openFileStore(folder, SEGMENT_BYTES);
  await store.setMeta(metaOf());
  /** Position after each append. */
  const ends = [0];
  for (let i = 0; i < appends; i++) {
    const blocks: Block[] = [];
    let end = ends.at(-1)!;
    for (let left = 1 + random.below(3); left > 0; left--) {
      blocks.push(blockOf(end, 1 + random.below(8), random));
      end += blocks.at(-1)!.items;
    }
    await store.append(blocks);
    ends.push(end);
  }
  await store.close("all");
  return ends;
}

Deno.test("slowCrc32() is zlib's CRC-32, in parts too", () => {
  const random = new Random(3);
  for (let round = 0; round < 200; round++) {
    const bytes = Uint8Array.from({ length: random.below(300) }, () => random.below(256));
    const at = random.below(bytes.length + 1);
    assertEquals(slowCrc32(bytes.subarray(at), slowCrc32(bytes.subarray(0, at))), crc32(bytes));
  }
});

Deno.test("skipMessages() takes whole messages off", () => {
  assertEquals(positionsIn({ items: 3, bytes: skipMessages(blockOf(5, 7).bytes, 4) }), [9, 10, 11]);
});

Deno.test("The file store gives back what was appended, from any position, and drops what is committed", async () => {
  const random = new Random(1);
  await inFolder(async (folder) => {
    const end = (await fill(folder, random, 60)).at(-1)!;
    assert(segmentsOf(folder).length > 3);
    let store = await openFileStore(folder, SEGMENT_BYTES);
    assertEquals([store.first, store.end], [0, end]);
    assertEquals(await readAll(store), range(0, end));
    for (let round = 0; round < 50; round++) {
      const from = random.below(end);
      assertEquals(await readAll(store, from, 1 + random.below(3000)), range(from, end));
    }
    let bytes = store.bytes;
    for (let at = 0; at < end; at += 1 + random.below(40)) {
      await store.drop(at);
      assert(store.first <= at && store.bytes <= bytes);
      bytes = store.bytes;
      assertEquals(bytes, segmentsOf(folder).reduce((sum, path) => sum + Deno.statSync(path).size, 0));
      assertEquals(await readAll(store, at), range(at, end));
    }
    assertEquals(segmentsOf(folder).length, 1);
    await store.setMeta(metaOf(end));
    await store.close("record");
    assertEquals(segmentsOf(folder), []);
    store = await openFileStore(folder, SEGMENT_BYTES);
    // Positions are not used again.
    assertEquals([store.first, store.end, store.bytes], [end, end, 0]);
    await store.append([blockOf(end, 4)]);
    assertEquals(await readAll(store), range(end, end + 4));
    await store.close("nothing");
    assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name), ["lock"]);
  });
});

Deno.test("The file store: whatever of the last write survives a crash, what was saved before comes back, once", async () => {
  const random = new Random(2);
  for (let round = 0; round < 150; round++) {
    await inFolder(async (folder) => {
      const appends = 1 + random.below(25);
      const ends = await fill(folder, random, appends);
      const last = segmentsOf(folder).at(-1)!;
      const start = Number(last.slice(-22, -6));
      const before = Deno.readFileSync(last);
      const more = await openFileStore(folder, SEGMENT_BYTES);
      const size = 1 + random.below(5);
      const blocks = range(0, size).map((i) => blockOf(ends.at(-1)! + i * 3, 3, random));
      await more.append(blocks);
      await more.close("all");
      // The write that was not confirmed: some of its bytes, or pages, reached the disk.
      const torn = segmentsOf(folder).at(-1)!;
      const written = Deno.readFileSync(torn);
      const kept = torn === last ? before.length : 0;
      let left = written.slice(0, kept + random.below(written.length - kept + 1));
      const way = random.below(3);
      if (way === 1) left = Uint8Array.from([...left, ...range(0, random.below(50)).map(() => random.below(256))]);
      if (way === 2) {
        left = written.slice();
        const at = kept + random.below(written.length - kept);
        left.fill(0, at, at + 1 + random.below(100));
      }
      Deno.writeFileSync(torn, left);
      const store = await openFileStore(folder, SEGMENT_BYTES);
      assert(store.end >= ends.at(-1)! && store.end <= ends.at(-1)! + 3 * size, `${start} ${store.end} ${ends.at(-1)}`);
      assertEquals(await readAll(store), range(0, store.end));
      // And it goes on from there.
      await store.append([blockOf(store.end, 5)]);
      await store.append([blockOf(store.end, 5)]);
      const { end } = store;
      await store.close("all");
      const again = await openFileStore(folder, SEGMENT_BYTES);
      assertEquals(again.end, end);
      assertEquals(await readAll(again), range(0, end));
      await again.close("all");
    });
  }
});

Deno.test("The file store names what is damaged, and gives no other items in its place", async () => {
  const random = new Random(4);
  let found = 0;
  for (let round = 0; round < 60; round++) {
    await inFolder(async (folder) => {
      const ends = await fill(folder, random, 30);
      const segments = segmentsOf(folder);
      const path = random.pick(segments.slice(0, -1));
      const bytes = Deno.readFileSync(path);
      const way = random.below(3);
      // The beginning of a segment is not read when it is not the last.
      const at = 16 + random.below(bytes.length - 16);
      if (way === 0) bytes[at] ^= 1 + random.below(255);
      Deno.writeFileSync(path, way === 1 ? bytes.subarray(0, at) : bytes);
      if (way === 2) Deno.removeSync(path);
      const error = await assertRejects(async () => {
        const store = await openFileStore(folder, SEGMENT_BYTES);
        try {
          const from = Math.min(store.first, ends[0]);
          assertEquals(await readAll(store, from), range(0, ends.at(-1)!));
        } finally {
          await store.close("all");
        }
      }, SluiceError);
      assertEquals(error.reason, "buffer");
      assert(error.message.includes(folder), error.message);
      found++;
    });
  }
  assertEquals(found, 60);
});

Deno.test("The file store: damage in the last segment, before what was saved later, is no torn tail", async () => {
  const random = new Random(5);
  await inFolder(async (folder) => {
    const store = await openFileStore(folder);
    await store.setMeta(metaOf());
    for (let i = 0; i < 20; i++) await store.append([blockOf(store.end, 5, random)]);
    await store.close("all");
    const [path] = segmentsOf(folder);
    const sound = Deno.readFileSync(path);
    const lastRecord = sound.length - 300;
    for (let at = 0; at < lastRecord; at += 1 + random.below(40)) {
      const bytes = sound.slice();
      bytes[at] ^= 0x55;
      Deno.writeFileSync(path, bytes);
      const error = await assertRejects(() => openFileStore(folder), SluiceError, "damaged");
      assertEquals(error.reason, "buffer");
      assert(error.message.includes(path));
    }
    Deno.writeFileSync(path, sound);
    const again = await openFileStore(folder);
    assertEquals(await readAll(again), range(0, 100));
    await again.close("all");
    // Of the last write of all, the record tells.
    const closed = await openFileStore(folder);
    await closed.setMeta(metaOf(0, 100));
    await closed.close("all");
    Deno.writeFileSync(path, sound.subarray(0, -10));
    await assertRejects(() => openFileStore(folder), SluiceError, "it ends with item 95");
    for (const text of ["", "{", "[]", "{}"]) {
      Deno.writeTextFileSync(`${folder}/meta.json`, text);
      const error = await assertRejects(() => openFileStore(folder), SluiceError, "meta.json");
      assertEquals(error.reason, "buffer");
    }
  });
});
