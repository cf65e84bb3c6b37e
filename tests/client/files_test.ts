import { assertEquals, assertLess, assertRejects, assertStringIncludes } from "@std/assert";
import { createHash } from "node:crypto";
import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import { createSluice, type Files } from "../../client/mod.ts";
import { FileUploadService } from "../../gen/sluice/v1/file_upload_pb.ts";
import { notFound } from "../../errors.ts";
import { type FakeServer, serveConnect } from "./fake_server.ts";

const BYTES = new Uint8Array(100_000).map((_, i) => i * 7 + (i >> 9));
const CHUNK = 30_000;

function sha256(data: Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}

/** What the server does to the chunks of BYTES that it sends. */
interface Damage {
  flip?: number;
  checksums?: boolean;
  drop?: number;
  fileChecksum?: string;
}

function serveFile(damage: Damage, others: Partial<ServiceImpl<typeof FileUploadService>> = {}): FakeServer {
  return serveConnect((router) =>
    router.service(FileUploadService, {
      async *downloadFile({ offset, length }) {
        const end = length === 0n ? BYTES.length : Number(offset + length);
        for (let at = Number(offset); at < end; at += CHUNK) {
          const data = BYTES.slice(at, Math.min(at + CHUNK, end));
          const checksum = damage.checksums === false ? "" : sha256(data);
          if (damage.flip !== undefined && damage.flip >= at && damage.flip < at + CHUNK) data[damage.flip - at] ^= 1;
          const isLastChunk = at + CHUNK >= end;
          if (damage.drop === at) continue;
          yield {
            data,
            offset: BigInt(at),
            totalSize: BigInt(BYTES.length),
            isLastChunk,
            checksum,
            fileChecksum: isLastChunk ? damage.fileChecksum ?? sha256(BYTES) : "",
          };
        }
      },
      getFile: () => ({ file: { fileId: "f", checksum: sha256(BYTES) } }),
      ...others,
    })
  );
}

async function read(files: Files, options?: { offset?: number; length?: number }): Promise<Uint8Array> {
  return new Uint8Array(await new Response(files.download("f", options)).arrayBuffer());
}

Deno.test("files.download() gives a file, or a part of it", async () => {
  await using server = serveFile({});
  const { files } = createSluice({ url: server.url });
  assertEquals(await read(files), BYTES);
  assertEquals(await read(files, { offset: 40_000 }), BYTES.slice(40_000));
  assertEquals(await read(files, { offset: 5, length: 10 }), BYTES.slice(5, 15));
  assertEquals(await read(files, { length: 50_000 }), BYTES.slice(0, 50_000));
  assertEquals(await read(files, { length: 0 }), new Uint8Array(0));
});

Deno.test("files.download() detects damage by the chunk's checksum, before it hands the chunk over", async () => {
  await using server = serveFile({ flip: 70_000 });
  const { files } = createSluice({ url: server.url });
  let got = 0;
  const error = await assertRejects(async () => {
    for await (const chunk of files.download("f")) got += chunk.length;
  }, ConnectError);
  assertEquals(error.code, Code.DataLoss);
  assertStringIncludes(error.message, "from 60000");
  assertEquals(got, 60_000);
});

Deno.test("files.download() detects damage by the file's checksum, sent or asked for", async () => {
  for (const damage of [{ flip: 99_999, checksums: false }, { fileChecksum: "00" }]) {
    await using server = serveFile(damage);
    const error = await assertRejects(() => read(createSluice({ url: server.url }).files), ConnectError);
    assertEquals(error.code, Code.DataLoss);
  }
  await using server = serveFile({ flip: 3, checksums: false, fileChecksum: "" });
  const error = await assertRejects(() => read(createSluice({ url: server.url }).files), ConnectError);
  assertEquals(error.code, Code.DataLoss);
});

Deno.test("files.download() detects a chunk that is missing", async () => {
  await using gap = serveFile({ drop: 30_000 });
  const error = await assertRejects(() => read(createSluice({ url: gap.url }).files), ConnectError);
  assertEquals(error.code, Code.DataLoss);
  assertStringIncludes(error.message, "at byte 60000 instead of 30000");
  for (const range of [{ offset: 10 }, { offset: 0, length: 95_000 }]) {
    await using short = serveFile({ drop: 90_000 + (range.offset ?? 0) });
    await assertRejects(() => read(createSluice({ url: short.url }).files, range), ConnectError, "ended at byte");
  }
});

Deno.test("files.download() that is cancelled or aborted stops the server", async () => {
  let sent = 0;
  const { promise: stopped, resolve: stop } = Promise.withResolvers<void>();
  await using server = serveFile({}, {
    async *downloadFile() {
      try {
        while (true) {
          yield { data: new Uint8Array(100_000), offset: BigInt(sent) };
          sent += 100_000;
          await new Promise((resolve) => setTimeout(resolve, 0));
        }
      } finally {
        stop();
      }
    },
  });
  const { files } = createSluice({ url: server.url });
  const reader = files.download("f").getReader();
  await reader.read();
  await reader.cancel();
  await stopped;
  assertLess(sent, 64 * 1024 * 1024);

  sent = 0;
  const abort = new AbortController();
  await assertRejects(
    async () => {
      for await (const _ of files.download("f", { signal: abort.signal })) abort.abort(new Error("enough"));
    },
    Error,
    "enough",
  );
});

Deno.test("files.list(), get() and delete() pass requests and errors on", async () => {
  const deleted: string[] = [];
  await using server = serveFile({}, {
    listFiles: ({ pageSize, pageToken }) => ({
      files: [{ fileId: `${pageSize}` }],
      nextPageToken: `${pageToken}+`,
    }),
    deleteFile({ fileId }) {
      deleted.push(fileId);
      return {};
    },
    getFile({ fileId }) {
      if (fileId !== "f") throw notFound(`no file ${fileId}`);
      return { file: { fileId, fileName: "a.txt" } };
    },
  });
  const { files } = createSluice({ url: server.url });
  const page = await files.list({ pageSize: 7, pageToken: "t" });
  assertEquals(page.files[0].fileId, "7");
  assertEquals(page.nextPageToken, "t+");
  assertEquals((await files.list()).files.length, 1);
  assertEquals((await files.get("f")).fileName, "a.txt");
  const error = await assertRejects(() => files.get("g"), ConnectError, "no file g");
  assertEquals(error.code, Code.NotFound);
  await files.delete("f");
  assertEquals(deleted, ["f"]);
});

Deno.test("createSluice() refuses what is no address of a server", async () => {
  for (const url of ["localhost:8080", "ftp://x", "nonsense"]) {
    await assertRejects(() => Promise.resolve().then(() => createSluice({ url })), TypeError);
  }
});
