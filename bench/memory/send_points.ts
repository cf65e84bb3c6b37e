/**
 * Sends points by the project's own client, as fast as they go, and prints what the server accepted:
 * `deno run -A bench/memory/send_points.ts URL POINTS CALLS`.
 *
 * @module
 */
import { createSluice, type PointInit } from "../../client/mod.ts";

const [url, points, calls] = [Deno.args[0], Number(Deno.args[1]), Number(Deno.args[2])];

/** Points of 40 series, two metrics each, of the moment in which they are made. */
function* make(call: number, count: number): Generator<PointInit> {
  const shapes = Array.from({ length: 20 }, (_, i) => ({
    source: `web-${i % 10}.example`,
    tags: { zone: `eu-west-1${"abc"[call % 3]}`, rack: `r${i % 4}` },
  }));
  for (let i = 0; i < count; i++) {
    const { source, tags } = shapes[i % shapes.length];
    const metrics = { cpu_percent: (i * 37 % 1000) / 10, mem: 4_000_000 + i * 7919 % 100_000 };
    yield { source, timestamp: Date.now(), metrics, tags };
  }
}

const sluice = createSluice({ url });
const shares = Array.from({ length: calls }, (_, call) => Math.floor((points + call) / calls));
const receipts = await Promise.all(shares.map((share, call) => sluice.sendPoints(make(call, share))));
console.log(receipts.reduce((sum, { committed, errorCount }) => sum + Number(committed) - Number(errorCount), 0));
