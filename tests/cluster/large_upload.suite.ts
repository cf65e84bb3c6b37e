/**
 * A large upload over a network that cuts it again and again, which begins on one instance and is finished on another:
 * `deno task test:resume --gib 8 --cuts 50`. Prints how many bytes were sent twice, and how long others waited.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { makeFile } from "../crash/content.ts";
import { createSluice } from "../../client/mod.ts";
import { GIB, MIB } from "../../limits.ts";
import { Random } from "../store/format/random.ts";
import { type Proxy, startProxy } from "../support/proxy.ts";
import { newStreamId, ResumingClient, sleep } from "../support/resuming_client.ts";
import { uploadFile } from "../support/resuming_streams.ts";
import { until } from "../support/until.ts";
import { startCluster } from "./cluster.ts";

const { values } = parseArgs({
  args: Deno.args,
  options: {
    gib: { type: "string", default: "1" },
    cuts: { type: "string", default: "50" },
    seed: { type: "string", default: String(Math.floor(Math.random() * 2 ** 31)) },
  },
});
const size = Math.floor(Number(values.gib) * GIB);
const cuts = Number(values.cuts);
const random = new Random(Number(values.seed));
console.log(`seed ${values.seed}`);

await using cluster = await startCluster({ instances: 2 });
const instances = [await cluster.start(0), await cluster.start(1)];
const proxies = cluster.urls.map((url, i) => {
  const proxy: Proxy = startProxy({
    port: Number(new URL(url).port),
    random,
    faults: ["cut"],
    // Half of them come before the instance dies, half of them after.
    calm: () => proxy.cuts() >= (i === 0 ? Math.ceil(cuts / 2) : Math.floor(cuts / 2)),
    faultAfter: () => 1 + random.below(Math.ceil(1.9 * size / cuts)),
  });
  return proxy;
});
function cutsSoFar(): number {
  return proxies.reduce((sum, proxy) => sum + proxy.cuts(), 0);
}

const file = makeFile("large.csv", size);
// Made before the clock runs: it takes seconds.
const expected = file.sha256;
const client = new ResumingClient({
  endpoints: proxies.map(({ url }) => url),
  random,
  callMs: 3600_000,
  maxBytes: 1024 * GIB,
  restlessness: 0,
});

/** How long points of another caller take, ms, on both instances. */
const waits: number[] = [];
let over = false;
const others = (async () => {
  const point = () => ({ source: "other", timestamp: Date.now(), metrics: { x: 1 } });
  const sluices = cluster.urls.map((url) => createSluice({ url }));
  while (!over) {
    const began = performance.now();
    // The second one is there from the beginning to the end.
    await sluices[1].sendPoints([point()]);
    waits.push(performance.now() - began);
    await sleep(5);
  }
})();

await sleep(2000);
printWaits("nothing else going on");
const began = performance.now();
const upload = uploadFile(client, file, { id: newStreamId("large-"), chunkSize: MIB });
await until(() => client.traffic.bytes - client.traffic.bytesAgain > size / 2, 3600_000);
printWaits("the upload on the other instance");
await instances[0].end("SIGKILL");
console.log(`the instance that it began on is killed after ${cutsSoFar()} cuts`);
const receipt = await upload;
const seconds = (performance.now() - began) / 1000;
printWaits("the hash rebuilt, and the rest of the upload, on this instance");
over = true;
await others;

const { bytes, bytesAgain, failures, calls } = client.traffic;
console.log(`${size / MIB} MiB in ${seconds.toFixed(1)} s, ${cutsSoFar()} cuts, ${calls} calls`);
console.log(`failed and tried again: ${[...failures].map(([name, count]) => `${count} ${name}`).join(", ")}`);
console.log(
  `sent twice: ${(bytesAgain / MIB).toFixed(1)} MiB of ${(bytes / MIB).toFixed(1)} ` +
    `(${(100 * bytesAgain / bytes).toFixed(1)} %)`,
);
console.log(`SHA-256 ${receipt.checksum === expected ? "equal" : `is ${receipt.checksum} instead of ${expected}`}`);
for (const proxy of proxies) await proxy[Symbol.asyncDispose]();
if (receipt.checksum !== expected || Number(receipt.totalSize) !== size) Deno.exit(1);

function printWaits(what: string): void {
  const sorted = waits.splice(0).sort((a, b) => a - b);
  const at = (q: number) => sorted[Math.floor(q * (sorted.length - 1))]?.toFixed(1);
  console.log(
    `a point's wait, ${what}: ${sorted.length} calls, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, max ${at(1)} ms`,
  );
}
