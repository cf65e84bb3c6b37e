import { createKvBlobStore } from "../../../store/blob/kv.ts";
import type { TestStoresOptions } from "../../support/stores.ts";
import { verifyCompaction } from "./compaction_property.ts";

const STORES: Record<string, TestStoresOptions> = {
  memory: {},
  "memory, rollups of hours": { hourSamples: 0 },
  kv: { blobs: createKvBlobStore },
};

for (const [name, options] of Object.entries(STORES)) {
  Deno.test(`Compaction property (${name}): whatever was moved, all questions are answered as by a plain scan`, () =>
    verifyCompaction(options, 400, 5));
}
