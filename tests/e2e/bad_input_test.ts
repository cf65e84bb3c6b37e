import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Code } from "@connectrpc/connect";
import { FileUploadService } from "../../gen/sluice/v1/file_upload_pb.ts";
import { MIB } from "../../limits.ts";
import { type ChunkInit, chunksOf, sha256, textBytes } from "../support/chunks.ts";
import { keysIn, piecesIn } from "../support/data_dir.ts";
import { sharedServer } from "../support/shared_server.ts";
import {
  badFields,
  concat,
  encode,
  envelope,
  PROTOCOLS,
  receipt,
  refusal,
  retryInfo,
  send,
  sendBody,
} from "../support/wire.ts";

const MAX_FILE = 4 * MIB;
const server = await sharedServer({ env: { SLUICE_MAX_FILE_BYTES: String(MAX_FILE) } });
const { uploadFile } = FileUploadService.method;
const text = (s: string) => new TextEncoder().encode(s);

/** Sends a file that is refused, by each protocol in turn: the same code, the same field, and nothing is left. */
async function assertRefused(chunks: readonly ChunkInit[], code: Code, field?: string): Promise<void> {
  for (const protocol of PROTOCOLS) {
    const error = await refusal(send(server.url, uploadFile, chunks, { protocol }));
    const what = `${protocol}: ${error.message}`;
    assertEquals(Code[error.code], Code[code], what);
    assertEquals(badFields(error), field === undefined ? [] : [field], what);
    assertEquals(retryInfo(error), undefined, what);
  }
  await assertNothingLeft();
}

async function assertNothingLeft(): Promise<void> {
  assertEquals(await piecesIn(server.dir), []);
  assertEquals(await keysIn(server.dir, "file", "blob", "blocks"), []);
}

/** A file in one chunk. */
const one = (
  chunk: ChunkInit,
): ChunkInit[] => [{ fileName: "a.txt", data: text("hello"), isLastChunk: true, ...chunk }];

const NAMES: Record<string, string> = {
  "empty": "",
  "..": "..",
  ".": ".",
  "a path": "../a.txt",
  "a slash": "a/b.txt",
  "a backslash": "a\\b.txt",
  "NUL": "a\0.txt",
  "a line feed": "a\n.txt",
  "a C1 control": "a\u0085.txt",
  "256 bytes": "a".repeat(252) + ".txt",
  "256 bytes of UTF-8": "é".repeat(126) + ".txt",
  "a device": "CON.txt",
  "a device in lower case": "com1.csv",
  "not NFC": "e\u0301.txt",
  "an extension that is not allowed": "a.exe",
  "no extension": "txt",
  "nothing before the extension": ".txt",
};

for (const [what, fileName] of Object.entries(NAMES)) {
  Deno.test(`file name: ${what} is INVALID_ARGUMENT`, () =>
    assertRefused(one({ fileName }), Code.InvalidArgument, "file_name"));
}

Deno.test("file name: 255 bytes are not too many", async () => {
  const fileName = "é".repeat(125) + "a.txt";
  const { fileId } = await receipt(send(server.url, uploadFile, one({ fileName })));
  await remove(fileId);
});

Deno.test("file name: a stream without a chunk has none", () => assertRefused([], Code.InvalidArgument, "file_name"));

const CONTENT: Record<string, [fileName: string, data: Uint8Array]> = {
  "a PNG named .txt": ["a.txt", Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 1, 2, 3)],
  "a program named .csv": ["a.csv", concat([text("\x7fELF"), new Uint8Array(5 * 1024).fill(7)])],
  "NUL bytes in a .csv": ["a.csv", text("a,b\n1,\0\n")],
  "a text named .json": ["a.json", text("hello")],
  "a text named .xml": ["a.xml", text("  hello")],
};

for (const [what, [fileName, data]] of Object.entries(CONTENT)) {
  Deno.test(`file content: ${what} is INVALID_ARGUMENT`, () =>
    assertRefused(one({ fileName, data }), Code.InvalidArgument, "data"));
}

Deno.test("file content: a contradiction is seen across small chunks", () =>
  assertRefused(chunksOf(text("\x7fELF and so on"), { name: "a.txt", chunkSize: 3 }), Code.InvalidArgument, "data"));

Deno.test("chunk offset: a gap and an overlap are OUT_OF_RANGE naming the expected offset", async () => {
  for (const offset of [4n, 6n, 0n]) {
    const chunks = [{ fileName: "a.txt", data: text("hello") }, { data: text("x"), offset, isLastChunk: true }];
    await assertRefused(chunks, Code.OutOfRange, "offset");
    const error = await refusal(send(server.url, uploadFile, chunks));
    assertMatch(error.rawMessage, /\b5\b/);
  }
  await assertRefused(one({ offset: 7n }), Code.OutOfRange, "offset");
});

Deno.test("size limit: a declared size over it is RESOURCE_EXHAUSTED, a size at it is none", async () => {
  await assertRefused(one({ totalSize: BigInt(MAX_FILE + 1), isLastChunk: false }), Code.ResourceExhausted);
  const { fileId } = await receipt(send(server.url, uploadFile, chunksOf(textBytes(MAX_FILE))));
  await remove(fileId);
});

Deno.test("size limit: more bytes than it are RESOURCE_EXHAUSTED", async () => {
  const chunks = chunksOf(textBytes(MAX_FILE + 1)).map((chunk) => ({ ...chunk, totalSize: 0n }));
  await assertRefused(chunks, Code.ResourceExhausted);
});

Deno.test("size limit: the first chunk that shows it is answered while the stream is open", async () => {
  const { readable, writable } = new TransformStream<Uint8Array<ArrayBuffer>>();
  const writer = writable.getWriter();
  const first: ChunkInit = { fileName: "a.txt", data: text("hello"), totalSize: 1n << 60n };
  const answer = sendBody(server.url, uploadFile, readable);
  await writer.write(envelope(encode(uploadFile.input, first, "connect+proto")));
  const error = await refusal(answer);
  assertEquals(error.code, Code.ResourceExhausted);
  await writer.close().catch(() => {});
  await assertNothingLeft();
});

const SECOND: Record<string, [second: ChunkInit, field: string]> = {
  "another file_name": [{ fileName: "b.txt", data: text("x"), offset: 5n }, "file_name"],
  "another total_size": [{ totalSize: 11n, data: text("x"), offset: 5n }, "total_size"],
  "a negative total_size": [{ totalSize: -1n, data: text("x"), offset: 5n }, "total_size"],
  "a negative offset": [{ offset: -5n, data: text("x") }, "offset"],
};

for (const [what, [second, field]] of Object.entries(SECOND)) {
  Deno.test(`chunk: ${what} in mid-stream is INVALID_ARGUMENT`, () =>
    assertRefused([{ fileName: "a.txt", data: text("hello"), totalSize: 10n }, second], Code.InvalidArgument, field));
}

Deno.test("chunk: negative numbers in the first are INVALID_ARGUMENT", async () => {
  await assertRefused(one({ totalSize: -1n }), Code.InvalidArgument, "total_size");
  await assertRefused(one({ offset: -1n }), Code.InvalidArgument, "offset");
});

Deno.test("chunk: one after the last is INVALID_ARGUMENT", async () => {
  await assertRefused([...one({}), { data: text("x"), offset: 5n }], Code.InvalidArgument, "is_last_chunk");
  await assertRefused([...one({}), { isLastChunk: true, offset: 5n }], Code.InvalidArgument, "is_last_chunk");
  const reached = one({ totalSize: 5n, isLastChunk: false });
  await assertRefused([...reached, { data: text("x"), offset: 5n }], Code.InvalidArgument, "is_last_chunk");
});

Deno.test("chunk: a checksum that is no lower-case SHA-256 is INVALID_ARGUMENT", async () => {
  const right = sha256(text("hello"));
  for (const checksum of [right.toUpperCase(), right.slice(1), "x"]) {
    await assertRefused(one({ checksum }), Code.InvalidArgument, "checksum");
    await assertRefused(one({ fileChecksum: checksum }), Code.InvalidArgument, "file_checksum");
  }
});

Deno.test("chunk: a content type that is none is INVALID_ARGUMENT", async () => {
  for (const contentType of ["text", "text/plain\r\nx: y", "a/" + "b".repeat(200)]) {
    await assertRefused(one({ contentType }), Code.InvalidArgument, "content_type");
  }
});

Deno.test("size mismatch: fewer or more bytes than total_size, or no end, is DATA_LOSS", async () => {
  await assertRefused(one({ totalSize: 6n, isLastChunk: false }), Code.DataLoss);
  await assertRefused(one({ totalSize: 6n }), Code.DataLoss);
  await assertRefused(one({ totalSize: 4n }), Code.DataLoss);
  await assertRefused(one({ isLastChunk: false }), Code.DataLoss);
  // Long enough that some of it is on disk when the end shows.
  await assertRefused(chunksOf(textBytes(3 * MIB)).slice(0, -1), Code.DataLoss);
});

Deno.test("checksum mismatch: of a chunk or of the file is DATA_LOSS", async () => {
  const wrong = sha256(text("other"));
  await assertRefused(one({ checksum: wrong }), Code.DataLoss);
  await assertRefused(one({ fileChecksum: wrong }), Code.DataLoss);
  const chunks = chunksOf(textBytes(3 * MIB), { checksums: true });
  await assertRefused(chunks.with(90, { ...chunks[90], checksum: wrong }), Code.DataLoss);
  await assertRefused(chunks.with(-1, { ...chunks[chunks.length - 1], fileChecksum: wrong }), Code.DataLoss);
});

Deno.test("refused files: the server takes good ones afterwards", async () => {
  const data = textBytes(100_000);
  const result = await receipt(send(server.url, uploadFile, chunksOf(data, { checksums: true })));
  assertEquals(result.checksum, sha256(data));
  await remove(result.fileId);
  assert(!server.stderr().includes("a handler failed"), server.stderr());
  assertStringIncludes(await (await fetch(`${server.url}/readyz`)).text(), "ready");
});

async function remove(fileId: string): Promise<void> {
  const response = await fetch(`${server.url}/sluice.v1.FileUploadService/DeleteFile`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ fileId }),
  });
  assertEquals(await response.json(), {});
}
