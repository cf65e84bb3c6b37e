import { assert, assertEquals } from "@std/assert";
import { Code } from "@connectrpc/connect";
import { type CollectionResult, DataCollectionService } from "../../gen/sluice/v1/data_collection_pb.ts";
import { FileUploadService } from "../../gen/sluice/v1/file_upload_pb.ts";
import { sharedServer } from "../support/shared_server.ts";
import { type AnyMethod, concat, envelope, receipt, refusal, sendBody } from "../support/wire.ts";

const server = await sharedServer();
const { uploadFile } = FileUploadService.method;
const { collectDataPoints, collectLogs } = DataCollectionService.method;
const now = Date.now();
const utf8 = (s: string) => new TextEncoder().encode(s);

/** A length-delimited field of a protobuf message. */
function field(number: number, value: Uint8Array | string): Uint8Array {
  const bytes = typeof value === "string" ? utf8(value) : value;
  assert(bytes.length < 128);
  return concat([Uint8Array.of(number << 3 | 2, bytes.length), bytes]);
}

function int64(number: number, value: number): Uint8Array {
  const bytes = [number << 3];
  for (; value >= 128; value = Math.floor(value / 128)) bytes.push(value % 128 + 128);
  return Uint8Array.from([...bytes, value]);
}

/** A double as a map's value. */
function double(value: number): Uint8Array {
  const bytes = new Uint8Array(9);
  bytes[0] = 2 << 3 | 1;
  new DataView(bytes.buffer).setFloat64(1, value, true);
  return bytes;
}

const metric = (name: string | Uint8Array, value: number) => field(3, concat([field(1, name), double(value)]));
const tag = (key: string | Uint8Array, value: string | Uint8Array, number = 4) =>
  field(number, concat([field(1, key), field(2, value)]));

async function ask(method: string, request: unknown): Promise<string> {
  const response = await fetch(`${server.url}/sluice.v1.QueryService/${method}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: typeof request === "string" ? request : JSON.stringify(request),
  });
  assertEquals(response.status, 200, method);
  return await response.text();
}

const sendPoint = (json: string): Promise<CollectionResult> =>
  receipt(sendBody(server.url, collectDataPoints, envelope(utf8(json)), { protocol: "connect+json" }));

Deno.test("map keys: __proto__ and constructor are keys as any other in protobuf", async () => {
  const point = concat([
    field(1, "binary-keys"),
    int64(2, now),
    ...["__proto__", "constructor", "toString"].map((name, i) => metric(name, i + 1)),
    tag("__proto__", "polluted"),
    tag("constructor", "c"),
    tag("hasOwnProperty", "h"),
  ]);
  const result = await receipt(sendBody(server.url, collectDataPoints, envelope(point)));
  assertEquals([result.successfulCount, result.rejections], [1, []]);
  const tags = '{"__proto__":"polluted","constructor":"c","hasOwnProperty":"h"}';
  for (const [i, name] of ["__proto__", "constructor", "toString"].entries()) {
    const answer = await ask("QueryMetrics", `{"metric":${JSON.stringify(name)},"tags":${tags}}`);
    const { series } = JSON.parse(answer);
    assertEquals(series.length, 1);
    assertEquals(series[0].buckets[0].sum, i + 1);
    assertEquals(Object.entries(series[0].series.tags).sort(), [
      ["__proto__", "polluted"],
      ["constructor", "c"],
      ["hasOwnProperty", "h"],
    ]);
  }
  const other = JSON.parse(await ask("QueryMetrics", '{"metric":"constructor","tags":{"__proto__":"other"}}'));
  assertEquals(other.series, undefined);
});

Deno.test("map keys: __proto__ and constructor are keys as any other in JSON", async () => {
  const tags = '{"__proto__":"polluted","constructor":"c"}';
  const result = await sendPoint(
    `{"source":"json-keys","timestamp":"${now}","metrics":{"__proto__":7,"constructor":8},"tags":${tags}}`,
  );
  assertEquals([result.successfulCount, result.rejections], [1, []]);
  for (const [name, sum] of [["__proto__", 7], ["constructor", 8]]) {
    const { series } = JSON.parse(await ask("QueryMetrics", { source: "json-keys", metric: name }));
    assertEquals(series[0].buckets[0].sum, sum);
    assertEquals(Object.entries(series[0].series.tags).sort(), [["__proto__", "polluted"], ["constructor", "c"]]);
  }
});

Deno.test("map keys: __proto__ as a log's field is found as any other", async () => {
  const entry = concat([
    field(1, "keys"),
    int64(3, now),
    field(4, "hello"),
    tag("__proto__", "polluted", 5),
    tag("constructor", "c", 5),
  ]);
  assertEquals((await receipt(sendBody(server.url, collectLogs, envelope(entry)))).indexedCount, 1);
  const { hits } = JSON.parse(await ask("SearchLogs", '{"application":"keys","fields":{"__proto__":"polluted"}}'));
  assertEquals(Object.entries(hits[0].entry.fields).sort(), [["__proto__", "polluted"], ["constructor", "c"]]);
  const other = JSON.parse(await ask("SearchLogs", '{"application":"keys","fields":{"__proto__":"other"}}'));
  assertEquals(other.hits, undefined);
});

Deno.test("map keys: a point that never had tags has none after all that", async () => {
  const result = await sendPoint(`{"source":"clean","timestamp":"${now}","metrics":{"x":1}}`);
  assertEquals(result.successfulCount, 1);
  const { series } = JSON.parse(await ask("ListSeries", { source: "clean" }));
  assertEquals(series, [{ source: "clean", metric: "x" }]);
});

Deno.test("lone surrogates in JSON: INVALID_ARGUMENT wherever they stand, and nothing of it is stored", async () => {
  const point = (source: string, metrics: string, tags: string) =>
    `{"source":"${source}","timestamp":"${now}","metrics":{${metrics}},"tags":{${tags}}}`;
  const entry = (application: string, message: string, fields: string) =>
    `{"application":"${application}","timestamp":"${now}","message":"${message}","fields":{${fields}}}`;
  const bad: [method: AnyMethod, json: string][] = [
    [collectDataPoints, point("lone\\ud800", '"x":1', "")],
    [collectDataPoints, point("lone", '"x\\udc00":1', "")],
    [collectDataPoints, point("lone", '"x":1', '"\\ud800":"a"')],
    [collectDataPoints, point("lone", '"x":1', '"a":"\\ud800"')],
    [collectLogs, entry("lone\\udfff", "x", "")],
    [collectLogs, entry("lone", "x\\ud800", "")],
    [collectLogs, entry("lone", "x", '"\\ud800":"x"')],
    [collectLogs, entry("lone", "x", '"x":"\\ud800"')],
    [uploadFile, '{"fileName":"a\\ud800.txt","isLastChunk":true}'],
  ];
  for (const [method, json] of bad) {
    const error = await refusal(sendBody(server.url, method, envelope(utf8(json)), { protocol: "connect+json" }));
    assertEquals(Code[error.code], "InvalidArgument", json);
  }
  assertEquals(await ask("ListSeries", { source: "lone" }), "{}");
  assertEquals(JSON.parse(await ask("SearchLogs", { application: "lone" })).hits, undefined);
  const paired = envelope(utf8(entry("pair", "\\ud83d\\ude00", "")));
  await receipt(sendBody(server.url, collectLogs, paired, { protocol: "connect+json" }));
  assertEquals(JSON.parse(await ask("SearchLogs", { application: "pair" })).hits[0].entry.message, "😀");
});

Deno.test("invalid UTF-8 in protobuf: INVALID_ARGUMENT wherever it stands, and nothing of it is stored", async () => {
  const bad = Uint8Array.of(0x61, 0xc3, 0x28);
  const time = int64(2, now);
  const points = [
    concat([field(1, bad), time, metric("x", 1)]),
    concat([field(1, "utf8"), time, metric(bad, 1)]),
    concat([field(1, "utf8"), time, metric("x", 1), tag(bad, "a")]),
    concat([field(1, "utf8"), time, metric("x", 1), tag("a", bad)]),
  ];
  for (const protocol of ["connect+proto", "grpc-web+proto"] as const) {
    for (const [i, point] of points.entries()) {
      const error = await refusal(sendBody(server.url, collectDataPoints, envelope(point), { protocol }));
      assertEquals(Code[error.code], "InvalidArgument", `${protocol} ${i}`);
    }
    for (const entry of [field(1, bad), concat([field(1, "utf8"), int64(3, now), field(4, bad)])]) {
      const error = await refusal(sendBody(server.url, collectLogs, envelope(entry), { protocol }));
      assertEquals(Code[error.code], "InvalidArgument", protocol);
    }
    const error = await refusal(sendBody(server.url, uploadFile, envelope(field(1, bad)), { protocol }));
    assertEquals(Code[error.code], "InvalidArgument", protocol);
  }
  assertEquals(await ask("ListSeries", { source: "utf8" }), "{}");
  assertEquals(JSON.parse(await ask("SearchLogs", { application: "utf8" })).hits, undefined);
});

Deno.test("invalid UTF-8 in JSON: INVALID_ARGUMENT, and not stored as something else", async () => {
  const [before, after] = [`{"source":"json-utf8`, `","timestamp":"${now}","metrics":{"x":1}}`].map(utf8);
  const body = envelope(concat([before, Uint8Array.of(0xff), after]));
  const error = await refusal(sendBody(server.url, collectDataPoints, body, { protocol: "connect+json" }));
  assertEquals(Code[error.code], "InvalidArgument");
});
