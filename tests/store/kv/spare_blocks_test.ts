import { assertEquals } from "@std/assert";
import { BLOCK_BYTES, MAX_SPARE_BLOCKS } from "../../../limits.ts";
import { SpareBlocks } from "../../../store/kv/spare_blocks.ts";

Deno.test("SpareBlocks keeps whole blocks only, MAX_SPARE_BLOCKS of them, and gives each out once", () => {
  const spare = new SpareBlocks();
  assertEquals(spare.take(), undefined);
  spare.give(new Uint8Array(BLOCK_BYTES - 1));
  assertEquals(spare.take(), undefined);
  for (let i = 0; i <= MAX_SPARE_BLOCKS; i++) spare.give(new Uint8Array(BLOCK_BYTES));
  const taken = Array.from({ length: MAX_SPARE_BLOCKS }, () => spare.take());
  assertEquals(new Set(taken).size, MAX_SPARE_BLOCKS);
  assertEquals(taken.every((block) => block?.length === BLOCK_BYTES), true);
  assertEquals(spare.take(), undefined);
});
