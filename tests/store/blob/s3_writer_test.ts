import { assert, assertEquals, assertRejects } from "@std/assert";
import { MIB, S3_BUFFER_BYTES, S3_PART_BYTES } from "../../../limits.ts";
import { type HeldBytes, PartWriter } from "../../../store/blob/s3_writer.ts";
import { bytes } from "../../contract/blob_contract.ts";
import { settled } from "../../http2/basics.ts";

/** A put that ends when the test says so. */
class Puts {
  readonly began: {
    offset: number;
    data: Uint8Array;
    ended: AbortSignal;
    end: (isFree: boolean) => void;
    fail: (error: unknown) => void;
  }[] = [];
  readonly put = (offset: number, data: Uint8Array<ArrayBuffer>, ended: AbortSignal): Promise<boolean> => {
    const { promise, resolve, reject } = Promise.withResolvers<boolean>();
    this.began.push({ offset, data, ended, end: resolve, fail: reject });
    return promise;
  };
}

Deno.test("PartWriter fills one part while another is uploaded, and no more", async () => {
  const puts = new Puts();
  const held: HeldBytes = { bytes: 0 };
  const writer = new PartWriter(puts.put, held);
  const block = bytes(MIB);
  let appended = 0;
  const appending = (async () => {
    while (appended < 24) {
      await writer.append(block);
      appended++;
    }
  })();
  await settled();
  assertEquals([puts.began.length, appended], [1, 15]);
  assertEquals(held.bytes, 2 * S3_PART_BYTES);
  puts.began[0].end(true);
  await settled();
  assertEquals([puts.began.length, appended, held.bytes], [2, 23, 2 * S3_PART_BYTES]);
  puts.began[1].end(true);
  await appending;
  puts.began[2].end(true);
  assertEquals((await writer.sync(false)).length, 24 * MIB);
  assertEquals(puts.began.map(({ offset, data }) => [offset, data.length]), [0, 8, 16].map((n) => [n * MIB, 8 * MIB]));
  await writer.seal();
  assertEquals(held.bytes, 0);
});

Deno.test("PartWriter holds no more for a small file than what arrived", async () => {
  const held: HeldBytes = { bytes: 0 };
  const writer = new PartWriter(() => Promise.resolve(true), held);
  await writer.append(bytes(1000));
  assertEquals(held.bytes, 1000);
  assertEquals((await writer.sync(false)).length, 0);
  assertEquals((await writer.sync(true)).length, 1000);
  await writer.seal();
  assertEquals(held.bytes, 0);
});

Deno.test("PartWriter makes a part of an append that is larger than one", async () => {
  const puts = new Puts();
  const writer = new PartWriter(puts.put, { bytes: 0 });
  await writer.append(bytes(10));
  const appending = writer.append(bytes(S3_PART_BYTES + 5));
  await settled();
  puts.began[0].end(true);
  await appending;
  puts.began[1].end(true);
  assertEquals((await writer.sync(false)).length, S3_PART_BYTES + 15);
  assertEquals(puts.began.map(({ data }) => data.length), [10, S3_PART_BYTES + 5]);
  await writer.seal();
});

Deno.test("PartWriter makes each append a part, and waits for it, while all writers hold too much", async () => {
  const puts = new Puts();
  const held: HeldBytes = { bytes: S3_BUFFER_BYTES };
  const writer = new PartWriter(puts.put, held);
  for (let n = 0; n < 3; n++) {
    const appending = writer.append(bytes(1000, n));
    await settled();
    assertEquals(puts.began.length, n + 1);
    puts.began[n].end(true);
    await appending;
    assertEquals(held.bytes, S3_BUFFER_BYTES);
  }
  held.bytes = 0;
  await writer.append(bytes(1000));
  assertEquals(puts.began.length, 3);
  await writer.seal();
});

Deno.test("PartWriter leaves a part alone that an attempt which was given up may still be reading", async () => {
  for (const isFree of [true, false]) {
    const puts = new Puts();
    const writer = new PartWriter(puts.put, { bytes: 0 });
    for (let n = 0; n < 3; n++) {
      await writer.append(bytes(S3_PART_BYTES, n));
      puts.began[n].end(isFree);
      await writer.sync(false);
    }
    const reused = puts.began[2].data.buffer === puts.began[0].data.buffer;
    assertEquals(reused, isFree);
    await writer.seal();
  }
});

Deno.test("PartWriter reports a failed upload at the next append or sync, and from then on", async () => {
  const failure = new Error("refused");
  for (const next of ["append", "sync"] as const) {
    const puts = new Puts();
    const held: HeldBytes = { bytes: 0 };
    const writer = new PartWriter(puts.put, held);
    await writer.append(bytes(S3_PART_BYTES));
    await writer.append(bytes(10));
    puts.began[0].fail(failure);
    await settled();
    const operation = () => next === "append" ? writer.append(bytes(1)) : writer.sync(true);
    for (let n = 0; n < 2; n++) {
      const error = await assertRejects(operation);
      assert(error === failure);
    }
    assertEquals(puts.began.length, 1);
    await writer.seal();
    assertEquals(held.bytes, 0);
  }
});

Deno.test("PartWriter.seal() gives up what is under way", async () => {
  const puts = new Puts();
  const held: HeldBytes = { bytes: 0 };
  const writer = new PartWriter(puts.put, held);
  await writer.append(bytes(S3_PART_BYTES));
  await writer.seal();
  assert(puts.began[0].ended.aborted);
  puts.began[0].fail(new Error("aborted"));
  await settled();
  assertEquals(held.bytes, 0);
});
