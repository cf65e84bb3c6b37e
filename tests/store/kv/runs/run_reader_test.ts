import { assert, assertEquals, assertRejects } from "@std/assert";
import { dataLoss } from "../../../../errors.ts";
import { RUN_FOOTER_CACHE_BYTES } from "../../../../limits.ts";
import { decodePointFooter, encodePointFooter } from "../../../../store/format/run_footer.ts";
import { encodeValue, FORMAT } from "../../../../store/format/value.ts";
import type { Run } from "../../../../store/kv/runs/run_list.ts";
import { RunReader, type RunReaderOptions } from "../../../../store/kv/runs/run_reader.ts";

const SEGMENT_LENGTH = 10;

function footerOf(segments: number): Uint8Array {
  return encodeValue(
    FORMAT.pointRunFooter,
    0,
    encodePointFooter(Array.from({ length: segments }, (_, i) => {
      const place = { metric: "m", source: `s${i}` };
      return { offset: 0, length: SEGMENT_LENGTH, minTime: 0, maxTime: 1, samples: 1, first: place, last: place };
    })),
  );
}

/** A reader of runs that all have the same footer, and how often it was read. */
function openReader(segments: number) {
  const footer = footerOf(segments);
  const state = { reads: 0, isMissing: false };
  const blobs = {
    async *read() {
      state.reads++;
      await Promise.resolve();
      if (state.isMissing) throw dataLoss("missing");
      yield footer;
    },
  };
  const reader = new RunReader({ blobs } as unknown as RunReaderOptions, "points", decodePointFooter, () => 0);
  const start = segments * SEGMENT_LENGTH;
  const ask = (id: string) =>
    reader.segments({ id, pieces: [], footer: start, size: start + footer.length } as unknown as Run);
  return { state, ask };
}

Deno.test("RunReader: questions that miss a footer at once read it once, and it is kept", async () => {
  const { state, ask } = openReader(2);
  const found = await Promise.all([ask("a"), ask("a"), ask("a")]);
  assertEquals(found[2].length, 2);
  await ask("a");
  assertEquals(state.reads, 1);
});

Deno.test("RunReader: a footer that could not be read is read again", async () => {
  const { state, ask } = openReader(2);
  state.isMissing = true;
  await Promise.all([1, 2].map(() => assertRejects(() => ask("a"), Error, "missing")));
  state.isMissing = false;
  assertEquals((await ask("a")).length, 2);
  assertEquals(state.reads, 2);
});

Deno.test("RunReader: as many footers are kept as RUN_FOOTER_CACHE_BYTES has room for, however they were asked for", async () => {
  // About 1 MiB each: 500 bytes for each segment, and its bytes.
  const { state, ask } = openReader(2000);
  for (let i = 0; i < 20; i++) await Promise.all([1, 2, 3, 4].map(() => ask(`other ${i}`)));
  const warm = async (count: number) => {
    state.reads = 0;
    for (let i = 0; i < count; i++) await ask(`${i}`);
    return state.reads;
  };
  await warm(40);
  assertEquals(await warm(40), 0);
  await warm(100);
  assertEquals(await warm(100), 100, "in turn, each is gone before it is asked for again");
});

Deno.test("RunReader: a footer that is larger than RUN_FOOTER_CACHE_BYTES is not kept", async () => {
  const segments = 150_000;
  assert(segments * 500 > RUN_FOOTER_CACHE_BYTES);
  const { state, ask } = openReader(segments);
  await ask("a");
  await ask("a");
  assertEquals(state.reads, 2);
});
