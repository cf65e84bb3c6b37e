import { assert, assertEquals, assertRejects } from "@std/assert";
import { Code, ConnectError } from "@connectrpc/connect";
import { createSluice } from "../../client/mod.ts";
import { DAY, HOUR, MINUTE } from "../../limits.ts";
import { Random } from "../store/format/random.ts";
import { keysIn } from "../support/data_dir.ts";
import { BrokenPromise, getStream, newStreamId, ResumingClient, sleep } from "../support/resuming_client.ts";
import { logsPlan, pointsPlan, uploadPlan } from "../support/resuming_streams.ts";
import { until } from "../support/until.ts";
import { logsOf, makeFile, pointsOf } from "./content.ts";
import { type ShiftedServer, startShiftedServer } from "./shifted_server.ts";
import { compareStores, differs } from "./verify.ts";
import { Workload } from "./workload.ts";

/** A file, points and log entries under ids that are used again. */
function makeStreams(server: ShiftedServer) {
  const client = new ResumingClient({ endpoints: [server.url], random: new Random(1) });
  const series = (name: string) => ({ name, count: 2000, step: 10, begin: Date.now() - HOUR });
  const sent = { files: [makeFile("kept.csv", 300_000)], points: [series("p")], logs: [series("l")], replays: 0 };
  const file = uploadPlan(client, sent.files[0]);
  const points = pointsPlan(client, pointsOf(sent.points[0]), newStreamId());
  const logs = logsPlan(client, logsOf(sent.logs[0]), newStreamId());
  return {
    sent,
    send: [
      async () => (await client.run(file)).fileId,
      async () => String((await client.run(points)).successfulCount),
      async () => String((await client.run(logs)).indexedCount),
    ],
    get: () => Promise.all([file, points, logs].map(({ kind, id }) => getStream(server, kind, id))),
  };
}

async function assertRefused(send: () => Promise<unknown>, code: keyof typeof Code): Promise<void> {
  const { cause } = await assertRejects(send, BrokenPromise);
  assert(cause instanceof ConnectError, String(cause));
  assertEquals(Code[cause.code], code, cause.message);
}

/** All that was sent is there, once. */
async function assertSame(server: ShiftedServer, sent: Parameters<typeof compareStores>[0]): Promise<void> {
  const comparison = await compareStores(sent, server.url, { SLUICE_DATA: server.dir });
  assert(!differs(comparison), comparison.wrong.join("\n"));
}

Deno.test("a stream sent again after its record's lifetime is refused, before and after the record is gone", async () => {
  await using server = await startShiftedServer({ SLUICE_HOUSEKEEPING_SECONDS: "3600" });
  const streams = makeStreams(server);
  const receipts = [];
  for (const send of streams.send) receipts.push(await send());
  for (const [i, send] of streams.send.entries()) assertEquals(await send(), receipts[i]);

  await server.shift(7 * DAY + HOUR);
  assertEquals(await streams.get(), [undefined, undefined, undefined]);
  for (const send of streams.send) await assertRefused(send, "FailedPrecondition");
  assertEquals((await keysIn(server.dir, "stream")).length, 3);
  await assertSame(server, streams.sent);
});

Deno.test("a stream whose record is gone is refused, whatever the clock says then", async () => {
  await using server = await startShiftedServer({ SLUICE_HOUSEKEEPING_SECONDS: "1" });
  const streams = makeStreams(server);
  for (const send of streams.send) await send();

  await server.shift(7 * DAY + HOUR);
  await until(async () => (await keysIn(server.dir, "stream", "open", "rejections")).length === 0, 30_000);
  for (const shift of [7 * DAY + HOUR, 0, -30 * MINUTE]) {
    await server.shift(shift);
    for (const send of streams.send) await assertRefused(send, "FailedPrecondition");
    await server.restart();
    for (const send of streams.send) await assertRefused(send, "FailedPrecondition");
  }
  // Those that begin now are taken.
  const next = makeStreams(server);
  for (const send of next.send) await send();
  assertEquals((await next.get()).map((info) => info?.committed), [300_000n, 2000n, 2000n]);
});

Deno.test("a clock that is far back: ids are from the future, and nothing is changed", async () => {
  await using server = await startShiftedServer();
  await server.shift(-2 * HOUR);
  const streams = makeStreams(server);
  for (const send of streams.send) await assertRefused(send, "InvalidArgument");
  await server.shift(0);
  assertEquals(await keysIn(server.dir, "stream", "open", "points", "logs", "file", "blob"), []);
  for (const send of streams.send) await send();
  await assertSame(server, streams.sent);
});

Deno.test("a clock that jumps both ways while clients stream: all is there, once", async () => {
  await using server = await startShiftedServer({ SLUICE_HOUSEKEEPING_SECONDS: "1" });
  const random = new Random(7);
  const workload = new Workload({
    clients: { files: 2, points: 3, logs: 3 },
    endpoints: () => [server.url],
    random: () => new Random(random.below(2 ** 32)),
  });
  for (let jumps = 0; jumps < 30 && workload.faults.length === 0; jumps++) {
    // Within what ids may be ahead, and uploads may stand still.
    await server.shift(Math.floor((2 * random.next() - 1) * 50 * MINUTE));
    await sleep(random.next() * 300);
    if (jumps % 10 === 9) await server.restart();
  }
  await workload.finish();
  assertEquals(workload.faults.map(({ message }) => message), []);
  await server.shift(0);
  await assertSame(server, workload.sent);
});

Deno.test("more streams than a tenant may have are refused, and there is room again when records go", async () => {
  await using server = await startShiftedServer({ SLUICE_MAX_STREAMS: "50", SLUICE_HOUSEKEEPING_SECONDS: "1" });
  const client = new ResumingClient({ endpoints: [server.url], random: new Random(3), maxItems: 10 });
  const begin = Date.now() - HOUR;
  const makePlan = (i: number) =>
    pointsPlan(client, pointsOf({ name: `p${i}`, count: 20, step: 1, begin }), newStreamId());
  const plans = Array.from({ length: 50 }, (_, i) => makePlan(i));
  for (const plan of plans) await client.run(plan);
  for (let i = 50; i < 60; i++) await assertRefused(() => client.run(makePlan(i)), "ResourceExhausted");
  assertEquals((await keysIn(server.dir, "stream")).length, 50);
  // Those that are known go on.
  assertEquals((await client.run(plans[0])).successfulCount, 20);
  const sluice = createSluice({ url: server.url });
  assertEquals((await sluice.listSeries({ pageSize: 1000 })).series.length, 100);

  await server.shift(7 * DAY + HOUR);
  await until(async () => (await keysIn(server.dir, "stream")).length === 0, 30_000);
  await server.shift(0);
  for (let i = 60; i < 110; i++) await client.run(makePlan(i));
  await assertRefused(() => client.run(makePlan(110)), "ResourceExhausted");
  assertEquals((await keysIn(server.dir, "stream")).length, 50);
});
