import { assert, assertEquals, assertGreaterOrEqual, assertLess } from "@std/assert";
import { Code, ConnectError } from "@connectrpc/connect";
import { StreamKind, StreamStatusSchema } from "../../gen/sluice/v1/stream_pb.ts";
import { HOUR, KIB, SECOND } from "../../limits.ts";
import { Random } from "../store/format/random.ts";
import { getStream, newStreamId, type Plan, ResumingClient, sleep } from "../support/resuming_client.ts";
import { logsPlan, pointsPlan, uploadPlan } from "../support/resuming_streams.ts";
import { until } from "../support/until.ts";
import { retryInfo } from "../support/wire.ts";
import { logsOf, makeFile, pointsOf } from "./content.ts";
import { freePort, Instance } from "./instance.ts";
import { compareStores, differs } from "./verify.ts";
import type { Sent } from "./workload.ts";

const STREAMS = 100;
/** What may pass between the signal and the end of the process. */
const DRAIN_MS = 5 * SECOND;

/** Streams of each kind, too slow to end by themselves; when `hurry` is set they are not. */
function makeStreams(url: string) {
  const state = { hurry: false };
  const client = new ResumingClient({
    endpoints: [url],
    random: new Random(5),
    pace: () => state.hurry ? undefined : sleep(50),
  });
  const sent: Sent = { files: [], points: [], logs: [], replays: 0 };
  const plans: Plan<unknown>[] = Array.from({ length: STREAMS }, (_, i) => {
    const series = { name: `s${i}`, count: 15_000, step: 1, begin: Date.now() - HOUR };
    if (i % 3 === 0) {
      const file = makeFile(`f${i}.csv`, 3000 * KIB);
      sent.files.push(file);
      return uploadPlan(client, file, { chunkSize: 4 * KIB });
    }
    if (i % 3 === 1) {
      sent.points.push(series);
      return pointsPlan(client, pointsOf(series), newStreamId());
    }
    sent.logs.push(series);
    return logsPlan(client, logsOf(series), newStreamId());
  });
  return { client, sent, plans, state };
}

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  for (const workers of ["1", "2"]) {
    Deno.test(`${signal} in the middle of ${STREAMS} streams, ${workers} workers: each is told, and all goes on`, async () => {
      const dir = await Deno.makeTempDir({ prefix: "sluice-test-" });
      const port = freePort();
      const url = `http://127.0.0.1:${port}`;
      const env = { SLUICE_DATA: dir, SLUICE_WORKERS: workers };
      const first = new Instance({ port, env });
      let second: Instance | undefined;
      try {
        await first.ready;
        const { client, sent, plans, state } = makeStreams(url);
        const endpoint = { url, headers: {}, fetch };
        const outcomes = plans.map((plan) => plan.call(endpoint, 0, plan.total, AbortSignal.timeout(120_000)));
        const settled = Promise.allSettled(outcomes);
        // Each of them is under way, however busy the machine is.
        for (const { kind, id } of plans) {
          await until(async () => ((await getStream({ url }, kind, id))?.committed ?? 0n) > 0n, 60_000);
        }
        const began = performance.now();
        const { code } = await first.end(signal);
        assertLess(performance.now() - began, DRAIN_MS);
        assertEquals(code, 0, first.stderr);

        second = new Instance({ port, env });
        await second.ready;
        for (const [i, outcome] of (await settled).entries()) {
          const plan = plans[i];
          assert(outcome.status === "rejected", `${StreamKind[plan.kind]} ${i} ended with a receipt in mid-stream`);
          const told = assertTold(outcome.reason);
          const found = Number((await getStream({ url }, plan.kind, plan.id))?.committed ?? 0);
          assertGreaterOrEqual(found, told, `${StreamKind[plan.kind]} ${i}`);
          assertGreaterOrEqual(plan.sent(), found);
          // What it had was flushed.
          assert(found > 0, `${StreamKind[plan.kind]} ${i}: nothing is committed, although ${plan.sent()} were sent`);
        }
        state.hurry = true;
        await Promise.all(plans.map((plan) => client.run(plan)));
        const comparison = await compareStores(sent, url, { SLUICE_DATA: dir });
        assert(!differs(comparison), comparison.wrong.join("\n"));
      } finally {
        await first.end("SIGKILL");
        await second?.end("SIGKILL");
        await Deno.remove(dir, { recursive: true });
      }
    });
  }

  Deno.test(`${signal} twice: the second one ends the process at once`, async () => {
    const dir = await Deno.makeTempDir({ prefix: "sluice-test-" });
    const port = freePort();
    const instance = new Instance({ port, env: { SLUICE_DATA: dir } });
    try {
      await instance.ready;
      const { plans } = makeStreams(`http://127.0.0.1:${port}`);
      const endpoint = { url: `http://127.0.0.1:${port}`, headers: {}, fetch };
      const settled = Promise.allSettled(
        plans.map((plan) => plan.call(endpoint, 0, plan.total, AbortSignal.timeout(60_000))),
      );
      await sleep(1000);
      instance.signal(signal);
      await sleep(200);
      const began = performance.now();
      const { code } = await instance.end(signal);
      assertLess(performance.now() - began, 1000);
      assertEquals(code, 130);
      await settled;
    } finally {
      await instance.end("SIGKILL");
      await Deno.remove(dir, { recursive: true });
    }
  });
}

/** How far the error of a drained call says that its stream is. */
function assertTold(error: unknown): number {
  assert(error instanceof ConnectError, String(error));
  assertEquals(Code[error.code], "Unavailable", error.message);
  assert(retryInfo(error) !== undefined, `no RetryInfo: ${error.message}`);
  const [status] = error.findDetails(StreamStatusSchema);
  assert(status !== undefined, `no StreamStatus: ${error.message}`);
  return Number(status.committed);
}
