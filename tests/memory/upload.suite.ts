/**
 * Uploads a file that is made on the fly, and prints how much memory the server took meanwhile:
 * `deno task test:memory --gib 2`.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { parseArgs } from "node:util";
import { createSluice } from "../../client/mod.ts";
import { GIB, MIB } from "../../limits.ts";
import { startServer } from "../support/server.ts";

const { values } = parseArgs({ args: Deno.args, options: { gib: { type: "string", default: "2" } } });
const size = Number(values.gib) * GIB;
const GROWTH = 64 * MIB;

Deno.test(`UploadFile: ${values.gib} GiB grow the server's memory by at most ${GROWTH / MIB} MiB`, async () => {
  await using server = await startServer();
  const sluice = createSluice({ url: server.url });
  // A first upload, so that what is compared is not a server that has never worked.
  await sluice.uploadFile(lines(8 * MIB), { name: "warm.csv", chunkSize: 32 * 1024 });
  const before = await residentBytes(server.pid);
  let peak = before;
  const timer = setInterval(async () => peak = Math.max(peak, await residentBytes(server.pid)), 100);
  const began = performance.now();
  const receipt = await sluice.uploadFile(lines(size), { name: "large.csv", chunkSize: 32 * 1024 });
  const seconds = (performance.now() - began) / 1000;
  clearInterval(timer);
  assertEquals(Number(receipt.totalSize), size);
  console.log(
    `${size / MIB} MiB in ${seconds.toFixed(1)} s (${(size / MIB / seconds).toFixed(0)} MiB/s); server before ` +
      `${(before / MIB).toFixed(0)} MiB, peak ${(peak / MIB).toFixed(0)} MiB`,
  );
  assert(peak - before <= GROWTH, `memory grew by ${((peak - before) / MIB).toFixed(0)} MiB`);
});

/** CSV text of this many bytes. */
async function* lines(size: number): AsyncGenerator<Uint8Array> {
  const block = new TextEncoder().encode("1795472327513,host-17,cpu,42.125\n".repeat(8192));
  for (let left = size; left > 0; left -= block.length) yield block.subarray(0, Math.min(left, block.length));
}

async function residentBytes(pid: number): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
}
