import { assertEquals, assertMatch } from "@std/assert";
import { createSluice } from "../../client/mod.ts";
import { sha256, textBytes } from "../support/chunks.ts";
import { sharedServer } from "../support/shared_server.ts";

const server = await sharedServer();
const sluice = createSluice({ url: server.url });
const DATA = textBytes(1_200_000);
const { fileId } = await sluice.uploadFile(DATA, { name: "Grüße 'n.csv" });
const ETAG = `"${sha256(DATA)}"`;

async function get(headers: Record<string, string> = {}, init: RequestInit = {}) {
  const response = await fetch(`${server.url}/files/${fileId}`, { headers, ...init });
  return {
    status: response.status,
    header: (name: string) => response.headers.get(name),
    body: new Uint8Array(await response.arrayBuffer()),
  };
}

Deno.test("GET /files/{id}: the bytes, and what they are", async () => {
  const { status, header, body } = await get();
  assertEquals([status, sha256(body)], [200, sha256(DATA)]);
  assertEquals(header("content-length"), String(DATA.length));
  assertEquals([header("content-type"), header("etag"), header("accept-ranges")], ["text/csv", ETAG, "bytes"]);
  assertEquals(header("content-disposition"), "attachment; filename*=UTF-8''Gr%C3%BC%C3%9Fe%20%27n.csv");
  assertEquals(header("x-content-type-options"), "nosniff");
  assertMatch(header("content-security-policy") ?? "", /sandbox/);
  assertMatch(header("last-modified") ?? "", / GMT$/);
});

Deno.test("HEAD /files/{id}: the same headers and no bytes", async () => {
  const { status, header, body } = await get({}, { method: "HEAD" });
  assertEquals([status, body.length], [200, 0]);
  assertEquals([header("content-length"), header("etag")], [String(DATA.length), ETAG]);
  const ranged = await get({ range: "bytes=0-9" }, { method: "HEAD" });
  assertEquals(ranged.body.length, 0);
});

Deno.test("GET /files/{id}: If-None-Match and If-Match", async () => {
  for (const tag of [ETAG, `W/${ETAG}`, `"other", ${ETAG}`, "*"]) {
    const { status, body, header } = await get({ "if-none-match": tag });
    assertEquals([status, body.length, header("etag")], [304, 0, ETAG], tag);
  }
  assertEquals((await get({ "if-none-match": '"other"' })).status, 200);
  assertEquals((await get({ "if-match": ETAG })).status, 200);
  assertEquals((await get({ "if-match": '"other"' })).status, 412);
});

Deno.test("GET /files/{id}: ranges", async () => {
  const size = DATA.length;
  const ranges: [range: string, start: number, end: number][] = [
    ["bytes=0-0", 0, 1],
    ["bytes=10-19", 10, 20],
    ["bytes=1048570-1048585", 1_048_570, 1_048_586],
    ["bytes=1199990-", 1_199_990, size],
    ["bytes=-5", size - 5, size],
    ["bytes=1199990-9999999", 1_199_990, size],
  ];
  for (const [range, start, end] of ranges) {
    const { status, header, body } = await get({ range });
    assertEquals([status, header("content-range")], [206, `bytes ${start}-${end - 1}/${size}`], range);
    assertEquals(header("content-length"), String(end - start), range);
    assertEquals(body, DATA.subarray(start, end), range);
  }
  for (const range of ["bytes=1200000-", "bytes=5000000-6000000", "bytes=-0"]) {
    const { status, header } = await get({ range });
    assertEquals([status, header("content-range")], [416, `bytes */${size}`], range);
  }
  for (const range of ["bytes=5-4", "bytes=a-b", "lines=1-2", "bytes=0-1,5-6"]) {
    assertEquals((await get({ range })).body.length, size, range);
  }
});

Deno.test("GET /files/{id}: If-Range gives the range of this version only", async () => {
  const range = "bytes=0-9";
  const same = await get({ range, "if-range": ETAG });
  assertEquals([same.status, same.body], [206, DATA.subarray(0, 10)]);
  const other = await get({ range, "if-range": '"other"' });
  assertEquals([other.status, other.body.length], [200, DATA.length]);
  // A weak tag is not enough for a range (RFC 9110, section 13.1.5).
  assertEquals((await get({ range, "if-range": `W/${ETAG}` })).status, 200);
});

Deno.test("GET /files/{id}: 404 for what there is not, 405 for other methods", async () => {
  for (const id of ["01ARZ3NDEKTSV4RRFFQ69G5FAV", "", "%2e%2e%2fkv.sqlite", "x/y"]) {
    const response = await fetch(`${server.url}/files/${id}`);
    await response.body?.cancel();
    assertEquals(response.status, 404, id);
  }
  const { status, header } = await get({}, { method: "DELETE" });
  assertEquals([status, header("allow")], [405, "GET, HEAD"]);
});

Deno.test("health: /healthz and /readyz are 200", async () => {
  assertEquals(await (await fetch(`${server.url}/healthz`)).text(), "ok\n");
  assertEquals(await (await fetch(`${server.url}/readyz`)).text(), "ready\n");
});
