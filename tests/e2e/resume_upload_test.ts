import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Code, type ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import { ulid } from "ulid";
import { createSluice } from "../../client/mod.ts";
import { FileUploadService } from "../../gen/sluice/v1/file_upload_pb.ts";
import { StreamKind, StreamService, StreamState, StreamStatusSchema } from "../../gen/sluice/v1/stream_pb.ts";
import { KIB, MIB } from "../../limits.ts";
import { download } from "../support/ask.ts";
import { type ChunkInit, sha256, textBytes } from "../support/chunks.ts";
import { sharedServer } from "../support/shared_server.ts";
import { until } from "../support/until.ts";
import {
  badFields,
  concat,
  encode,
  envelope,
  type Protocol,
  PROTOCOLS,
  receipt,
  refusal,
  send,
  sendBody,
} from "../support/wire.ts";

const server = await sharedServer();
const sluice = createSluice({ url: server.url });
const { uploadFile } = FileUploadService.method;
const { getStream } = createClient(
  StreamService,
  createConnectTransport({ baseUrl: server.url, useBinaryFormat: true }),
);
const newId = () => `file-${ulid()}`;
const headers = (id: string, end?: number) => ({
  "sluice-stream-id": id,
  ...end !== undefined && { "sluice-end": String(end) },
});

interface WindowOptions {
  chunkSize?: number;
  /** What is said of the file besides the bytes. */
  said?: ChunkInit;
  protocol?: Protocol;
  end?: number;
}

/** The chunks of `data` from `from` up to `to`; the first says what the file is. */
function chunksBetween(data: Uint8Array, from: number, to: number, { chunkSize = 32 * KIB, said }: WindowOptions = {}) {
  const chunks: ChunkInit[] = [];
  for (let at = from; at < to; at += chunkSize) {
    chunks.push({ data: data.subarray(at, Math.min(at + chunkSize, to)), offset: BigInt(at) });
  }
  if (chunks.length > 0) chunks[0] = { ...chunks[0], ...said ?? { fileName: from === 0 ? "r.csv" : "" } };
  return chunks;
}

function sendWindow(id: string, data: Uint8Array, from: number, to: number, options: WindowOptions = {}) {
  const { protocol, end } = options;
  const chunks = chunksBetween(data, from, to, options);
  return send(server.url, uploadFile, chunks, { protocol, headers: headers(id, end) });
}

async function stateOf(streamId: string) {
  const { stream } = await getStream({ kind: StreamKind.FILE, streamId });
  return stream &&
    { committed: Number(stream.committed), state: StreamState[stream.state], epoch: Number(stream.epoch) };
}

function committedOf(error: ConnectError): number {
  return Number(error.findDetails(StreamStatusSchema)[0]?.committed ?? -1);
}

for (const protocol of PROTOCOLS) {
  Deno.test(`resume over ${protocol}: windows at odd places, overlap, and the same receipt again`, async () => {
    const data = textBytes(2 * MIB + 77, 5);
    const id = newId();
    const said = { fileName: "r.csv", totalSize: BigInt(data.length) };
    const first = await receipt(sendWindow(id, data, 0, 700_001, { said, protocol }));
    assertEquals([first.status, first.committed, first.fileId], ["partial", 700_001n, ""]);
    // Some of it again; and the name need not be said again.
    const second = await receipt(sendWindow(id, data, 650_000, MIB, { protocol, said: {} }));
    assertEquals([second.status, second.committed], ["partial", BigInt(MIB)]);
    const empty = await receipt(sendWindow(id, data, 0, 0, { protocol }));
    assertEquals([empty.status, empty.committed], ["partial", BigInt(MIB)]);
    const last = await receipt(sendWindow(id, data, MIB, data.length, { protocol, end: data.length }));
    assertEquals([last.status, last.committed, last.checksum], ["completed", BigInt(data.length), sha256(data)]);
    assertEquals(await download(sluice, last.fileId), data);

    const again = await receipt(sendWindow(id, data, 0, data.length, { said, protocol }));
    assertEquals(again, last);
    assertEquals((await sluice.files.list({ pageSize: 1000 })).files.filter((f) => f.fileId === last.fileId).length, 1);
    // The receipt stays when the file goes.
    await sluice.files.delete(last.fileId);
    assertEquals(await receipt(sendWindow(id, data, 0, data.length, { said, protocol })), last);
    assertEquals(await stateOf(id), { committed: data.length, state: "FINISHED", epoch: 3 });
  });
}

Deno.test("resume: a cut call leaves what it brought, and another goes on at once", async () => {
  const data = textBytes(3 * MIB + 5, 9);
  const id = newId();
  const said = { fileName: "cut.csv", totalSize: BigInt(data.length) };
  let at = 0;
  let cuts = 0;
  while (at < data.length) {
    const to = Math.min(at + 900_000, data.length);
    if (to === data.length) break;
    const body = concat(
      chunksBetween(data, at, to, { said }).map((chunk) => envelope(encode(uploadFile.input, chunk, "connect+proto"))),
    );
    const cut = new AbortController();
    let isFirst = true;
    const stream = new ReadableStream<Uint8Array<ArrayBuffer>>({
      async pull(controller) {
        if (isFirst) controller.enqueue(body);
        isFirst = false;
        await new Promise((resolve) => setTimeout(resolve, 100));
        cut.abort();
      },
    });
    const path = `${server.url}/sluice.v1.FileUploadService/UploadFile`;
    const init = { method: "POST", headers: { "content-type": "application/connect+proto", ...headers(id) } };
    await fetch(path, { ...init, body: stream, signal: cut.signal }).then((r) => r.body?.cancel(), () => {});
    await until(async () => ((await stateOf(id).catch(() => undefined))?.committed ?? 0) > at, 5000);
    at = (await stateOf(id))!.committed;
    cuts++;
  }
  assert(cuts > 2);
  const last = await receipt(sendWindow(id, data, at, data.length, { said }));
  assertEquals(last.checksum, sha256(data));
  await sluice.files.delete(last.fileId);
});

Deno.test("resume: what does not fit has its code, and changes nothing", async () => {
  const data = textBytes(200_000, 3);
  const other = textBytes(200_000, 4);
  const id = newId();
  const said = { fileName: "bad.csv", totalSize: 200_000n, contentType: "text/csv" };
  await receipt(sendWindow(id, data, 0, 100_000, { said }));
  const before = await stateOf(id);
  const cases: [string, Code, () => Promise<ConnectError>][] = [
    ["a gap", Code.OutOfRange, () => refusal(sendWindow(id, data, 100_001, 110_000, { said }))],
    ["an unknown stream", Code.FailedPrecondition, () => refusal(sendWindow(newId(), data, 5, 9, { said }))],
    ["other bytes at 0", Code.AlreadyExists, () => refusal(sendWindow(id, other, 0, 150_000, { said }))],
    ["other bytes later", Code.AlreadyExists, () => refusal(sendWindow(id, other, 50_000, 150_000, { said }))],
  ];
  const conflicts: [string, ChunkInit][] = [
    ["file_name", { ...said, fileName: "other.csv" }],
    ["total_size", { ...said, totalSize: 300_000n }],
    ["content_type", { ...said, contentType: "text/plain" }],
  ];
  for (const [field, wrong] of conflicts) {
    cases.push([`${field} at 0`, Code.AlreadyExists, () => refusal(sendWindow(id, data, 0, 9, { said: wrong }))]);
    cases.push([`${field} later`, Code.InvalidArgument, () => refusal(sendWindow(id, data, 9, 99, { said: wrong }))]);
  }
  for (const [end, what] of [[99_999, "below"], [200_001, "not total_size"]] as const) {
    cases.push([
      `an end ${what}`,
      Code.InvalidArgument,
      () => refusal(sendWindow(id, data, 100_000, 100_100, { said, end })),
    ]);
  }
  for (const [what, code, call] of cases) {
    const error = await call();
    assertEquals(Code[error.code], Code[code], `${what}: ${error.message}`);
    assertEquals(await stateOf(id), before, what);
  }
  const gap = await refusal(sendWindow(id, data, 150_000, 150_001, { said }));
  assertEquals([badFields(gap), committedOf(gap)], [["offset"], 100_000]);
  assertStringIncludes(gap.message, "100000");
  const last = await receipt(sendWindow(id, data, 100_000, 200_000, { said }));
  assertEquals(last.checksum, sha256(data));
  for (const wrong of [[200_000, 200_001], [199_999, 200_001], [0, 200_001]]) {
    const beyond = concat([data, other]);
    const error = await refusal(sendWindow(id, beyond, wrong[0], wrong[1], { said, chunkSize: MIB }));
    assertEquals(Code[error.code], "FailedPrecondition", error.message);
  }
  await sluice.files.delete(last.fileId);
});

Deno.test("resume: a wrong chunk checksum refuses that chunk, and says how far the file is", async () => {
  const data = textBytes(90_000, 8);
  const id = newId();
  const chunks = chunksBetween(data, 0, 60_000, { said: { fileName: "c.csv" }, chunkSize: 30_000 });
  const wrong = { data: data.subarray(60_000), offset: 60_000n, isLastChunk: true };
  await receipt(send(server.url, uploadFile, chunks, { headers: headers(id) }));
  const error = await refusal(
    send(server.url, uploadFile, [{ ...wrong, checksum: "0".repeat(64) }], { headers: headers(id) }),
  );
  assertEquals([Code[error.code], committedOf(error)], ["DataLoss", 60_000]);
  // So does a wrong one of the file; nothing becomes visible, and a right one can still come.
  const whole = await refusal(
    send(server.url, uploadFile, [{ ...wrong, fileChecksum: "0".repeat(64) }], { headers: headers(id) }),
  );
  assertEquals([Code[whole.code], committedOf(whole)], ["DataLoss", 90_000]);
  assertEquals((await stateOf(id))?.state, "OPEN");
  const right = { offset: 90_000n, isLastChunk: true, fileChecksum: sha256(data) };
  const { checksum, fileId } = await receipt(send(server.url, uploadFile, [right], { headers: headers(id) }));
  assertEquals(checksum, sha256(data));
  await sluice.files.delete(fileId);
});

Deno.test("resume: an empty file, by is_last_chunk or by its end", async () => {
  for (const [chunk, end] of [[{ isLastChunk: true }, undefined], [{}, 0]] as const) {
    const id = newId();
    const call = () =>
      receipt(send(server.url, uploadFile, [{ fileName: "e.csv", ...chunk }], { headers: headers(id, end) }));
    const result = await call();
    assertEquals([result.status, result.totalSize], ["completed", 0n]);
    assertEquals(await call(), result);
    await sluice.files.delete(result.fileId);
  }
});

Deno.test("resume: of two calls at once the newer one wins, and the older one is told", async () => {
  const data = textBytes(600_000, 6);
  const id = newId();
  const said = { fileName: "two.csv", totalSize: BigInt(data.length) };
  const framed = (from: number, to: number) =>
    concat(
      chunksBetween(data, from, to, { said }).map((chunk) =>
        envelope(encode(uploadFile.input, chunk, "connect+proto"))
      ),
    );
  const goOn = Promise.withResolvers<void>();
  const parts = [framed(0, 300_000), framed(300_000, data.length)];
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      const part = parts.shift();
      if (!part) return controller.close();
      if (parts.length === 0) await goOn.promise;
      controller.enqueue(part);
    },
  }, { highWaterMark: 0 });
  const older = sendBody(server.url, uploadFile, body, { headers: headers(id) });
  // A client that pauses is committed all the same.
  await until(async () => (await stateOf(id).catch(() => undefined))?.committed === 300_000, 5000);
  const newer = await receipt(sendWindow(id, data, 300_000, 450_000, { said }));
  assertEquals(newer.committed, 450_000n);
  goOn.resolve();
  const { error } = await older;
  assert(error);
  assertEquals([Code[error.code], committedOf(error)], ["Aborted", 300_000]);
  const last = await receipt(sendWindow(id, data, 450_000, data.length, { said }));
  assertEquals(last.checksum, sha256(data));
  await sluice.files.delete(last.fileId);
});
