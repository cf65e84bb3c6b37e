import { verifyCompaction } from "../store/kv/compaction_property.ts";
import { open, shared } from "./s3_stores.ts";

Deno.test("Compaction property (s3): whatever was moved, all questions are answered as by a plain scan", () =>
  verifyCompaction({ blobs: () => open(shared).store }, 120, 6));
