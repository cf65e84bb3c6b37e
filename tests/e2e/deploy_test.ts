import { assertEquals, assertMatch } from "@std/assert";
import { createSluice } from "../../client/mod.ts";
import { MIB } from "../../limits.ts";
import { download } from "../support/ask.ts";
import { sha256, textBytes } from "../support/chunks.ts";
import { sharedServer } from "../support/shared_server.ts";

// Neither a disk nor signals: what Deno Deploy gives a program.
const server = await sharedServer({
  env: { DENO_DEPLOYMENT_ID: "x", SLUICE_KV: ":memory:" },
  permissions: ["--allow-net", "--allow-env"],
});
const sluice = createSluice({ url: server.url });
const now = Date.now();

Deno.test("Deploy: files are kept in KV, and come back by RPC and by HTTP", async () => {
  const data = textBytes(5 * MIB + 12_345);
  const { fileId, checksum } = await sluice.uploadFile(data, { name: "deploy.csv", chunkSize: 32 * 1024 });
  assertEquals(checksum, sha256(data));
  assertEquals(sha256(await download(sluice, fileId)), sha256(data));
  const response = await fetch(`${server.url}/files/${fileId}`, { headers: { range: "bytes=61439-1048600" } });
  assertEquals(response.status, 206);
  assertEquals(sha256(new Uint8Array(await response.arrayBuffer())), sha256(data.subarray(61_439, 1_048_601)));
  assertEquals((await sluice.files.list()).files.map((file) => file.fileId), [fileId]);
  await sluice.files.delete(fileId);
  assertEquals((await sluice.files.list()).files, []);
});

Deno.test("Deploy: points and logs are kept and found", async () => {
  const points = Array.from({ length: 5000 }, (_, i) => ({ source: "d", timestamp: now - i, metrics: { x: i } }));
  const bad = { source: "", timestamp: now, metrics: { x: 1 } };
  const collected = await sluice.sendPoints([...points, bad]);
  assertEquals([collected.successfulCount, collected.errorCount], [5000, 1]);
  const { series } = await sluice.queryMetrics({ source: "d", metric: "x", quantiles: [0.5] });
  assertEquals([series[0].buckets[0].count, series[0].buckets[0].max], [5000n, 4999]);
  assertEquals((await sluice.listSeries()).series.length, 1);

  const logs = Array.from(
    { length: 3000 },
    (_, i) => ({ application: "d", timestamp: now - i, message: `line${i} of it` }),
  );
  assertEquals((await sluice.sendLogs(logs)).indexedCount, 3000);
  const { hits } = await sluice.searchLogs({ words: ["line1234"] });
  assertEquals(hits.map(({ entry }) => entry?.message), ["line1234 of it"]);
});

Deno.test("Deploy: it is healthy and ready", async () => {
  for (const path of ["/healthz", "/readyz"]) {
    const response = await fetch(server.url + path);
    await response.body?.cancel();
    assertEquals(response.status, 200, path);
  }
});

Deno.test("native gRPC: a trailers-only UNIMPLEMENTED that says what to use instead", async () => {
  for (const contentType of ["application/grpc", "application/grpc+proto", "application/grpc; charset=utf-8"]) {
    const response = await fetch(`${server.url}/sluice.v1.QueryService/ListSeries`, {
      method: "POST",
      headers: { "content-type": contentType, te: "trailers" },
      body: new Uint8Array(5),
    });
    assertEquals([response.status, response.headers.get("grpc-status")], [200, "12"]);
    assertEquals(response.headers.get("content-type"), "application/grpc");
    assertMatch(response.headers.get("grpc-message") ?? "", /gRPC-Web or Connect/);
    assertEquals((await response.arrayBuffer()).byteLength, 0);
  }
});
