import { assert, assertEquals, assertRejects } from "@std/assert";
import { Code, ConnectError, createSluice } from "../../client/mod.ts";
import { FileUploadService } from "../../gen/sluice/v1/file_upload_pb.ts";
import { MIB } from "../../limits.ts";
import { download } from "../support/ask.ts";
import { chunksOf, sha256, textBytes } from "../support/chunks.ts";
import { sharedServer } from "../support/shared_server.ts";
import { concat, encode, envelope, PROTOCOLS, receipt, send, sendBody } from "../support/wire.ts";

const server = await sharedServer();
const sluice = createSluice({ url: server.url });
const { uploadFile, downloadFile } = FileUploadService.method;

Deno.test("FileUpload: a small file comes back as it went, by every protocol", async () => {
  const data = new TextEncoder().encode('{"name":"Grüße"}\n');
  for (const protocol of PROTOCOLS) {
    const chunks = chunksOf(data, { name: "Grüße.json", chunkSize: 5, checksums: true });
    const result = await receipt(send(server.url, uploadFile, chunks, { protocol }));
    assertEquals(result.fileName, "Grüße.json");
    assertEquals([result.totalSize, result.committed], [BigInt(data.length), BigInt(data.length)]);
    assertEquals([result.checksum, result.status, result.chunkCount], [sha256(data), "completed", 4n]);
    assertEquals(await download(sluice, result.fileId), data);
    const info = await sluice.files.get(result.fileId);
    assertEquals([info.fileName, info.contentType, info.checksum], ["Grüße.json", "application/json", sha256(data)]);
    assert(Math.abs(Number(info.createdAt) - Date.now()) < 60_000);
    await sluice.files.delete(result.fileId);
  }
});

Deno.test("FileUpload: a large file of 32 MiB in chunks of 32 KiB, with checksums", async () => {
  const data = textBytes(32 * MIB, 7);
  const result = await sluice.uploadFile(data, { name: "large.csv", chunkSize: 32 * 1024 });
  assertEquals([result.chunkCount, result.totalSize], [1024n, BigInt(data.length)]);
  assertEquals(result.checksum, sha256(data));
  assertEquals(sha256(await download(sluice, result.fileId)), sha256(data));
  await sluice.files.delete(result.fileId);
});

Deno.test("FileUpload: an empty file, with one chunk that says so", async () => {
  const { fileId, totalSize, checksum } = await sluice.uploadFile(new Uint8Array(0), { name: "empty.txt" });
  assertEquals([totalSize, checksum], [0n, sha256(new Uint8Array(0))]);
  assertEquals(await download(sluice, fileId), new Uint8Array(0));
  const response = await fetch(`${server.url}/files/${fileId}`);
  assertEquals([response.status, await response.text()], [200, ""]);
  await sluice.files.delete(fileId);
  // And with one that does not.
  const second = await receipt(send(server.url, uploadFile, [{ fileName: "empty.txt" }]));
  assertEquals(second.totalSize, 0n);
  await sluice.files.delete(second.fileId);
});

Deno.test("FileUpload: a size that is not known before the end", async () => {
  const data = textBytes(2_500_000, 3);
  async function* pieces() {
    for (let at = 0; at < data.length; at += 70_001) yield data.subarray(at, at + 70_001);
  }
  const { fileId, totalSize } = await sluice.uploadFile(pieces(), { name: "stream.csv" });
  assertEquals(totalSize, BigInt(data.length));
  assertEquals(sha256(await download(sluice, fileId)), sha256(data));
  await sluice.files.delete(fileId);
});

Deno.test("FileUpload: the end of a stream that has reached total_size ends the file", async () => {
  const data = textBytes(100_000);
  const chunks = chunksOf(data).map((chunk) => ({ ...chunk, isLastChunk: false }));
  const { fileId, checksum } = await receipt(send(server.url, uploadFile, chunks));
  assertEquals(checksum, sha256(data));
  await sluice.files.delete(fileId);
});

Deno.test("FileUpload: envelopes that come in pieces of any length", async () => {
  const data = textBytes(5_000);
  const body = concat(
    chunksOf(data, { chunkSize: 999, checksums: true }).map((chunk) =>
      envelope(encode(uploadFile.input, chunk, "connect+proto"))
    ),
  );
  let at = 0;
  const stream = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull(controller) {
      if (at === body.length) return controller.close();
      controller.enqueue(body.slice(at, at += Math.min(1 + at % 37, body.length - at)));
    },
  });
  const { fileId, checksum } = await receipt(sendBody(server.url, uploadFile, stream));
  assertEquals(checksum, sha256(data));
  await sluice.files.delete(fileId);
});

Deno.test("FileUpload: files at the same time do not mix", async () => {
  const sources = [1, 2, 3].map((seed) => ({ source: textBytes(3_000_000 + seed, seed), name: `${seed}.csv` }));
  const outcomes = await sluice.uploadFiles(sources, { maxConcurrency: 3, chunkSize: 10_000 });
  for (const [i, outcome] of outcomes.entries()) {
    assert(outcome.ok);
    assertEquals(outcome.result.fileName, sources[i].name);
    assertEquals(sha256(await download(sluice, outcome.result.fileId)), sha256(sources[i].source));
    await sluice.files.delete(outcome.result.fileId);
  }
});

Deno.test("DownloadFile: any range, with checksums of the chunks and of the file", async () => {
  const data = textBytes(2_100_000, 5);
  const { fileId } = await sluice.uploadFile(data, { name: "ranges.csv" });
  const ranges = [[0, 1], [0, data.length], [MIB - 1, 2], [MIB, MIB], [data.length - 1, 1], [1_500_000, 10_000_000], [
    2_100_000,
    5,
  ]];
  for (const [offset, length] of ranges) {
    const part = await download(sluice, fileId, { offset, length });
    assertEquals(sha256(part), sha256(data.subarray(offset, offset + length)), `${offset}+${length}`);
  }
  for (const protocol of PROTOCOLS) {
    const { messages, error } = await send(server.url, downloadFile, [{ fileId, offset: 5n }], { protocol });
    assertEquals(error, undefined);
    let at = 5;
    for (const chunk of messages) {
      assertEquals([chunk.offset, chunk.checksum], [BigInt(at), sha256(chunk.data)]);
      at += chunk.data.length;
    }
    assertEquals(at, data.length);
    assertEquals(messages.map(({ isLastChunk }) => isLastChunk).indexOf(true), messages.length - 1);
    assertEquals(messages.at(-1)?.fileChecksum, sha256(data));
  }
  const beyond = await assertRejects(() => download(sluice, fileId, { offset: data.length + 1 }), ConnectError);
  assertEquals(Code[beyond.code], "OutOfRange");
  const negative = await assertRejects(() => download(sluice, fileId, { offset: -1 }), ConnectError);
  assertEquals(Code[negative.code], "InvalidArgument");
  await sluice.files.delete(fileId);
});

Deno.test("ListFiles: pages, newest first", async () => {
  const ids: string[] = [];
  for (let i = 0; i < 7; i++) {
    ids.unshift((await sluice.uploadFile(textBytes(i), { name: `${i}.csv` })).fileId);
    // Of files of one millisecond either may be the newer.
    for (const t = Date.now(); Date.now() === t;);
  }
  const pages: string[][] = [];
  for (let pageToken = "";;) {
    const page = await sluice.files.list({ pageSize: 3, pageToken });
    pages.push(page.files.map(({ fileId }) => fileId));
    pageToken = page.nextPageToken;
    if (pageToken === "") break;
  }
  assertEquals(pages, [ids.slice(0, 3), ids.slice(3, 6), ids.slice(6)]);
  assertEquals((await sluice.files.list({ pageSize: 7 })).nextPageToken, "");
  for (const options of [{ pageSize: -1 }, { pageSize: 1001 }, { pageToken: "x" }]) {
    const error = await assertRejects(() => sluice.files.list(options), ConnectError);
    assertEquals(Code[error.code], "InvalidArgument");
  }
  await Promise.all(ids.map((id) => sluice.files.delete(id)));
});
