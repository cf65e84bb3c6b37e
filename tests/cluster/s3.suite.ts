/** The S3 blob store on a real S3 server. Needs versitygw: `deno task test:s3`. */
import { blobStoreContract } from "../contract/blob_contract.ts";
import "./s3_backup.ts";
import "./s3_compaction.ts";
import "./s3_outages.ts";
import "./s3_parts.ts";
import { open, shared } from "./s3_stores.ts";

blobStoreContract("s3", () => Promise.resolve(open(shared).subject));
