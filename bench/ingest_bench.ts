/**
 * Whole paths over loopback: the client, the wire, the services, and the real stores, durable.
 *
 * @module
 */
import { createSluice } from "../client/mod.ts";
import { MIB } from "../limits.ts";
import { startServer } from "../tests/support/server.ts";

const server = await startServer();
globalThis.addEventListener("unload", () => server.kill("SIGKILL"));
const sluice = createSluice({ url: server.url });

const file = new TextEncoder().encode("1795472327513,host-17,cpu,42.125\n".repeat(320_000)).subarray(0, 10 * MIB);
const now = Date.now();
const points = Array.from({ length: 10_000 }, (_, i) => ({
  source: `host-${i % 10}`,
  timestamp: now - i,
  metrics: { cpu: (i * 37 % 1000) / 10, mem: i },
  tags: { zone: "a", rack: `${i % 4}` },
}));
const logs = Array.from({ length: 10_000 }, (_, i) => ({
  application: `app-${i % 4}`,
  level: i % 50 ? "INFO" : "ERROR",
  timestamp: now - i,
  message: `GET /items/${i * 7919 % 10_000} answered 200 in ${i % 97} ms`,
  fields: { user: `u${i % 101}` },
}));

Deno.bench("FileUpload: 10 MiB in 32 KiB chunks, both checksums", { group: "FileUpload" }, async () => {
  await sluice.uploadFile(file, { name: "bench.csv", chunkSize: 32 * 1024 });
});
Deno.bench("DataCollection: 10,000 points of 2 metrics", { group: "DataCollection" }, async () => {
  await sluice.sendPoints(points);
});
Deno.bench("DataCollection: one point", { group: "DataCollection one" }, async () => {
  await sluice.sendPoints(points.slice(0, 1));
});
Deno.bench("LogCollection: 10,000 entries", { group: "LogCollection" }, async () => {
  await sluice.sendLogs(logs);
});
