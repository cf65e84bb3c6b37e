/**
 * `deno task test:matrix [--mib 100]`: the client in every runtime, by every way that it has there. Each sends a file, points
 * and logs, and all of it once more through a network that breaks in the middle; what has arrived is read back and
 * compared. Needs Chromium, Node and npm on PATH.
 *
 * @module
 */
import { assertEquals, assertGreater } from "@std/assert";
import { createHash } from "node:crypto";
import { parseArgs } from "node:util";
import { createSluice, type Sluice } from "../../client/mod.ts";
import { searchAll } from "../support/ask.ts";
import { serveCheckout } from "../support/checkout.ts";
import { startProxy } from "../support/proxy.ts";
import { startServer } from "../support/server.ts";
import { Random } from "../store/format/random.ts";
import { startChromium } from "./chromium.ts";
import { LOGS, makeParts, POINTS } from "./job.js";
import { inChromium, inDeno, inDenoByUrl, type JobResult, nodeIn, type Runtime } from "./runtimes.ts";

const { values } = parseArgs({ args: Deno.args, options: { mib: { type: "string", default: "100" } } });
const mib = Number(values.mib);
// A browser that is cut within its first window, of 8 MiB, cannot know whether streaming is to blame, and sends windows.
if (!(mib >= 20)) throw new Error(`--mib must be 20 or more, not ${values.mib}`);
const expected = createHash("sha256");
for (const part of makeParts(mib)) expected.update(part);
const checksum = expected.digest("hex");

const folder = await Deno.makeTempDir({ prefix: "sluice-matrix-" });
const tls = new URL("../support/tls/", import.meta.url).pathname;

/** What is sent from a runtime, where it has arrived. */
async function verify(sluice: Sluice, name: string, sent: JobResult["whole"]): Promise<void> {
  assertEquals([sent.checksum, sent.points, sent.logs], [checksum, POINTS, LOGS], name);
  const stored = createHash("sha256");
  for await (const piece of sluice.files.download(sent.fileId)) stored.update(piece);
  assertEquals(stored.digest("hex"), checksum, name);
  const { series } = await sluice.queryMetrics({ source: name, metric: "x" });
  assertEquals(series.map(({ buckets: [{ count, sum }] }) => [count, sum]), [[
    BigInt(POINTS),
    POINTS * (POINTS - 1) / 2,
  ]]);
  const messages = (await searchAll(sluice, { application: name, pageSize: 1000 })).hits.map(({ entry }) =>
    entry?.message
  );
  assertEquals([messages.length, new Set(messages).size], [LOGS, LOGS], name);
}

try {
  await using chromium = await startChromium();
  const env = { SLUICE_CORS_ORIGINS: chromium.origin };
  await using plain = await startServer({ env });
  await using secure = await startServer({
    env: { ...env, SLUICE_TLS_CERT: `${tls}a.pem`, SLUICE_TLS_KEY: `${tls}a.key` },
  });
  using client = Deno.createHttpClient({ caCerts: [await Deno.readTextFile(`${tls}a.pem`)] });
  const reader = {
    plain: createSluice({ url: plain.url }),
    secure: createSluice({
      url: secure.url,
      fetch: (input, init) => fetch(input, { ...init, client }),
    }),
  };
  for (const name of ["node", "deno"]) await Deno.mkdir(`${folder}/${name}`);
  const inNode = await nodeIn(`${folder}/node`);
  await using checkout = serveCheckout();
  const cells: [name: string, Runtime, "plain" | "secure", transport: "auto" | "stream" | "windows", way: string][] = [
    ["Deno", inDeno, "plain", "auto", "stream"],
    ["Deno", inDeno, "plain", "windows", "windows"],
    ["Deno, by URL", inDenoByUrl(`${folder}/deno`, checkout), "plain", "auto", "stream"],
    ["Node", inNode, "plain", "auto", "stream"],
    ["Node", inNode, "plain", "windows", "windows"],
    ["Chromium, HTTP/2", inChromium(chromium), "secure", "auto", "stream"],
    ["Chromium, HTTP/2", inChromium(chromium), "secure", "windows", "windows"],
    ["Chromium, HTTP/1.1", inChromium(chromium), "plain", "auto", "windows"],
  ];
  console.log("runtime              asked    way      MiB/s   cut: MiB/s  failures  sent twice");
  for (const [i, [runtime, run, which, transport, way]] of cells.entries()) {
    const server = { plain, secure }[which];
    await using proxy = startProxy({
      port: Number(new URL(server.url).port),
      random: new Random(i),
      faults: ["cut"],
      // Once in the middle of the file, and twice after that.
      faultAfter: () => proxy.cuts() === 0 ? mib * 2 ** 19 : 300_000,
      calm: () => proxy.cuts() >= 3,
    });
    const cutUrl = server.url.replace(/:\d+$/, `:${new URL(proxy.url).port}`);
    const name = `matrix-${i}`;
    const result = await run({ url: server.url, cutUrl, transport, mib, name });
    assertEquals(result.way, way, result.why);
    await verify(reader[which], name, result.whole);
    await verify(reader[which], `${name}-cut`, result.cut);
    assertGreater(result.retries, 0);
    const { whole, cut, retries } = result;
    const rate = (seconds: number) => (mib / seconds).toFixed(0);
    const twice = (cut.bytes - whole.bytes) / 2 ** 20;
    console.log(
      runtime.padEnd(21) + transport.padEnd(9) + way.padEnd(9) + rate(whole.seconds).padStart(5) +
        rate(cut.seconds).padStart(13) + String(retries).padStart(10) + `${twice.toFixed(1)} MiB`.padStart(12),
    );
  }
} finally {
  await Deno.remove(folder, { recursive: true });
}
