import { assert, assertEquals } from "@std/assert";
import { Code, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import { ulid } from "ulid";
import { createSluice } from "../../client/mod.ts";
import { DataCollectionService } from "../../gen/sluice/v1/data_collection_pb.ts";
import { StreamKind, StreamService, StreamState, StreamStatusSchema } from "../../gen/sluice/v1/stream_pb.ts";
import { sharedServer } from "../support/shared_server.ts";
import { badFields, PROTOCOLS, receipt, refusal, send } from "../support/wire.ts";

const server = await sharedServer();
const { collectDataPoints, collectLogs } = DataCollectionService.method;
const now = Date.now();
const point = (source: string, i: number) => ({ source, timestamp: BigInt(now - i), metrics: { x: i } });
const points = (source: string, from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => point(source, from + i));
const headers = (id: string, start?: number, end?: number) => ({
  "sluice-stream-id": id,
  ...start !== undefined && { "sluice-start": String(start) },
  ...end !== undefined && { "sluice-end": String(end) },
});
const streams = (url: string) =>
  createClient(StreamService, createConnectTransport({ baseUrl: url, useBinaryFormat: true }));

async function count(url: string, source: string): Promise<number> {
  const { series } = await createSluice({ url }).queryMetrics({ source, metric: "x" });
  return series.reduce((sum, { buckets }) => sum + Number(buckets[0].count), 0);
}

for (const protocol of PROTOCOLS) {
  Deno.test(`streams over ${protocol}: windows, overlap, end, and the same receipt again`, async () => {
    const { url } = server;
    const id = `web-1.${ulid(now)}`;
    const call = (from: number, to: number, end?: number) =>
      receipt(send(url, collectDataPoints, points(protocol, from, to), { protocol, headers: headers(id, from, end) }));
    assertEquals((await call(0, 500)).committed, 500n);
    assertEquals((await call(200, 1200)).duplicateCount, 300n);
    const last = await call(1200, 2500, 2500);
    assertEquals([last.committed, last.successfulCount], [2500n, 2500]);
    const again = await call(0, 2500, 2500);
    assertEquals({ ...again, processingTimeMs: 0n }, { ...last, processingTimeMs: 0n });
    assertEquals(await count(url, protocol), 2500);
    const { stream } = await streams(url).getStream({ kind: StreamKind.POINTS, streamId: id });
    assertEquals([stream?.state, stream?.committed], [StreamState.FINISHED, 2500n]);
  });

  Deno.test(`streams over ${protocol}: what is wrong has its code, and changes nothing`, async () => {
    const { url } = server;
    const source = `${protocol} bad`;
    const id = ulid(now);
    const fails = (headers: Record<string, string>, messages = points(source, 0, 3)) =>
      refusal(send(url, collectDataPoints, messages, { protocol, headers }));
    await receipt(send(url, collectDataPoints, points(source, 0, 3), { protocol, headers: headers(id, 0) }));
    const cases: [Code, Record<string, string>][] = [
      [Code.InvalidArgument, headers("no-ulid")],
      [Code.InvalidArgument, headers(`ä${ulid(now)}`.replace("ä", "%C3"))],
      [Code.InvalidArgument, headers("x".repeat(101) + ulid(now))],
      [Code.InvalidArgument, headers(ulid(now + 2 * 3_600_000))],
      [Code.FailedPrecondition, headers(ulid(now - 8 * 86_400_000))],
      [Code.FailedPrecondition, headers(ulid(now), 1)],
      [Code.OutOfRange, headers(id, 4)],
      [Code.InvalidArgument, headers(id, -1)],
      [Code.InvalidArgument, { ...headers(id), "sluice-start": "three" }],
      [Code.InvalidArgument, headers(id, 0, 2)],
      [Code.InvalidArgument, { "sluice-start": "0" }],
    ];
    for (const [code, wrong] of cases) {
      const error = await fails(wrong);
      assertEquals(Code[error.code], Code[code], `${JSON.stringify(wrong)}: ${error.message}`);
    }
    assertEquals(Code[(await fails(headers(id), [point(source, 77)])).code], "AlreadyExists");
    assertEquals(badFields(await fails(headers(id, -1))), ["sluice-start"]);
    const gap = await fails(headers(id, 4));
    assertEquals(gap.findDetails(StreamStatusSchema).map(({ committed }) => committed), [3n]);
    const { stream } = await streams(url).getStream({ kind: StreamKind.POINTS, streamId: id });
    assertEquals([stream?.committed, stream?.epoch], [3n, 1n]);
    assertEquals(await count(url, source), 3);
  });
}

Deno.test("an error in the middle of a stream says how far it is durable", async () => {
  const id = ulid(now);
  const error = await refusal(
    send(server.url, collectDataPoints, points("cut", 0, 1500), { headers: headers(id, 0, 1499) }),
  );
  assertEquals(Code[error.code], "InvalidArgument");
  const [status] = error.findDetails(StreamStatusSchema);
  const { stream } = await streams(server.url).getStream({ kind: StreamKind.POINTS, streamId: id });
  assertEquals(status.committed, stream?.committed);
  assertEquals(Number(status.committed), await count(server.url, "cut"));
});

Deno.test("logs: a stream's counts are those of all its calls", async () => {
  const id = ulid(now);
  const entry = (i: number) => ({
    application: "streams-e2e",
    level: i % 10 === 9 ? "loud" : "info",
    timestamp: BigInt(now - i),
    message: `entry ${i}`,
  });
  const entries = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => entry(from + i));
  await receipt(send(server.url, collectLogs, entries(0, 700), { headers: headers(id) }));
  const last = await receipt(send(server.url, collectLogs, entries(650, 1000), { headers: headers(id, 650, 1000) }));
  assertEquals(
    [last.totalReceived, last.indexedCount, last.errorCount, last.duplicateCount, last.status],
    [1000, 900, 100n, 50n, "partial"],
  );
  assertEquals(last.rejections.map(({ index }) => index), Array.from({ length: 100 }, (_, i) => BigInt(i * 10 + 9)));
  const { hits } = await createSluice({ url: server.url }).searchLogs({ application: "streams-e2e", pageSize: 1000 });
  assertEquals(new Set(hits.map(({ entry }) => entry?.message)).size, 900);
  assertEquals(hits.length, 900);
});

Deno.test("WatchStreams shows a stream that moves, and ends when the one it was asked for is finished", async () => {
  const id = ulid(now);
  await receipt(send(server.url, collectDataPoints, points("watched", 0, 100), { headers: headers(id, 0) }));
  const request = { kind: StreamKind.POINTS, streamId: id, intervalMs: 100 };
  const seen: bigint[] = [];
  for await (const { streams: [progress] } of streams(server.url).watchStreams(request)) {
    seen.push(progress.stream!.committed);
    const at = Number(progress.stream!.committed);
    if (at === 300) continue;
    const end = at === 200 ? 300 : undefined;
    await receipt(
      send(server.url, collectDataPoints, points("watched", at, at + 100), { headers: headers(id, at, end) }),
    );
  }
  assertEquals(seen, [100n, 200n, 300n]);
  const abort = new AbortController();
  const open = ulid(now);
  await receipt(send(server.url, collectDataPoints, points("watched", 300, 301), { headers: headers(open, 0) }));
  for await (const { streams: moving } of streams(server.url).watchStreams({}, { signal: abort.signal })) {
    assert(moving.some(({ stream }) => stream?.streamId === open));
    assert(!moving.some(({ stream }) => stream?.streamId === id));
    break;
  }
});
