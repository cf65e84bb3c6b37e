import { assertEquals, assertRejects } from "@std/assert";
import { Code, ConnectError } from "@connectrpc/connect";
import { ulid } from "ulid";
import type { DecodedChunk } from "../../decode/chunks.ts";
import { createFileUploadService } from "../../services/file_upload.ts";
import { settle } from "../contract/file_stores.ts";
import { textBytes } from "../support/chunks.ts";
import { openTestStores } from "../support/stores.ts";

const NO_CHUNK: DecodedChunk = {
  fileName: "",
  data: new Uint8Array(0),
  offset: 0n,
  totalSize: 0n,
  isLastChunk: false,
  checksum: "",
  fileChecksum: "",
  contentType: "",
};
const DATA = textBytes(100_000);
const CHUNK = { ...NO_CHUNK, fileName: "a.csv", data: DATA };

/** A service over stores whose n-th commit waits until it is let go. */
async function openGated(n: number) {
  const reached = Promise.withResolvers<void>();
  const letGo = Promise.withResolvers<void>();
  let commits = 0;
  const stores = await openTestStores({
    wrap: (db) => ({
      get: db.get.bind(db),
      getMany: db.getMany.bind(db),
      list: db.list.bind(db),
      atomic: () => {
        const operation = db.atomic();
        const commit = operation.commit.bind(operation);
        operation.commit = async () => {
          if (++commits === n) {
            reached.resolve();
            await letGo.promise;
          }
          return await commit();
        };
        return operation;
      },
    }),
  });
  const { files, streams } = stores;
  const service = createFileUploadService({ files, streams, maxFileBytes: 1e9, allowedExtensions: [".csv"] });
  /** Aborts a call when the commit is reached, and lets that go when the call has given up. */
  const aborted = async (chunks: readonly DecodedChunk[], streamId?: string) => {
    const call = new AbortController();
    const stream = streamId === undefined
      ? undefined
      : { id: streamId, beganAt: stores.clock.now(), start: 0, end: undefined };
    const answer = service.uploadFile(batches(chunks), { tenant: "t", signal: call.signal, stream });
    await reached.promise;
    call.abort(new ConnectError("too late", Code.DeadlineExceeded));
    const error = assertRejects(() => answer, ConnectError);
    // Until the call has given up.
    await new Promise((resolve) => setTimeout(resolve, 20));
    letGo.resolve();
    assertEquals((await error).code, Code.DeadlineExceeded);
    await settle(stores);
  };
  return { ...stores, service, aborted };
}

async function* batches(chunks: readonly DecodedChunk[]) {
  yield chunks;
}

Deno.test("uploadFile() that is given up while it opens the file leaves nothing", async () => {
  using stores = await openGated(1);
  await stores.aborted([CHUNK]);
  assertEquals(await stores.keys(), []);
});

Deno.test("uploadFile() that is given up while it opens the file of a stream lets another call begin", async () => {
  using stores = await openGated(1);
  const id = ulid(stores.clock.now());
  await stores.aborted([CHUNK], id);
  assertEquals((await stores.streams.get("t", "file", id))?.committed, 0);
  const stream = { id, beganAt: stores.clock.now(), start: 0, end: undefined };
  const signal = new AbortController().signal;
  const last = { ...CHUNK, isLastChunk: true };
  const receipt = await stores.service.uploadFile(batches([last]), { tenant: "t", signal, stream });
  assertEquals([receipt.status, receipt.committed], ["completed", 100_000n]);
});

Deno.test("uploadFile() that is given up while its last commit is under way leaves the file whole", async () => {
  for (const id of [undefined, ulid()]) {
    using stores = await openGated(2);
    await stores.aborted([{ ...CHUNK, isLastChunk: true }], id);
    const [file] = await stores.files.list("t", 9, undefined);
    let length = 0;
    const range = { start: 0, end: file.size };
    for await (const part of stores.files.read("t", file.id, range, new AbortController().signal)) {
      length += part.length;
    }
    assertEquals(length, 100_000);
  }
});
