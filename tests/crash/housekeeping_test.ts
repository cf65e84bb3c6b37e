import { assert, assertEquals } from "@std/assert";
import { createSluice } from "../../client/mod.ts";
import { DAY, HOUR, KIB } from "../../limits.ts";
import { leaseKey } from "../../store/kv/keys.ts";
import { Random } from "../store/format/random.ts";
import { download } from "../support/ask.ts";
import { sha256 } from "../support/chunks.ts";
import { keysIn } from "../support/data_dir.ts";
import { newStreamId, ResumingClient, sleep } from "../support/resuming_client.ts";
import { logsPlan, pointsPlan, sendLogs, sendPoints, uploadFile, uploadPlan } from "../support/resuming_streams.ts";
import { until } from "../support/until.ts";
import { checkStores } from "./check.ts";
import { logsOf, makeFile, pointsOf } from "./content.ts";
import { type ShiftedServer, startShiftedServer } from "./shifted_server.ts";

const FILES = 20;
const UPLOADS = 60;
const STREAMS = 1000;
const HOURS = 600;
/** What goes with time; what is there beside it belongs to finished files, or is about the tenant. */
const EXPIRING = ["stream", "open", "rejections", "points", "logs", "logindex"];

/** Finished files, which stay; and uploads, streams, points and entries that go with time. */
async function fill(server: ShiftedServer): Promise<void> {
  const random = new Random(4);
  const client = new ResumingClient({ endpoints: [server.url], random });
  const begin = Date.now() - 29 * DAY;
  const old = { name: "old", count: HOURS, step: HOUR, begin };
  await Promise.all([sendPoints(client, pointsOf(old)), sendLogs(client, logsOf(old))]);
  for (let i = 0; i < FILES; i++) await uploadFile(client, makeFile(`kept-${i}.csv`, 200 * KIB));
  const each = async (count: number, fn: (i: number) => Promise<unknown>) => {
    for (let i = 0; i < count; i += 20) await Promise.all(Array.from({ length: 20 }, (_, j) => fn(i + j)));
  };
  await each(UPLOADS, (i) => {
    const plan = uploadPlan(client, makeFile(`open-${i}.csv`, 200 * KIB), { id: newStreamId() });
    return plan.call(client.endpoint, 0, 100 * KIB, AbortSignal.timeout(10_000));
  });
  const one = { name: "one", count: 1, step: 1, begin: Date.now() - HOUR };
  await each(STREAMS, (i) => {
    const make = i % 2 === 0
      ? pointsPlan(client, pointsOf(one), newStreamId())
      : logsPlan(client, logsOf(one), newStreamId());
    return client.run<unknown>(make);
  });
}

/** What a lease of a dead holder would have the next one wait for. */
async function forgetLease(dir: string): Promise<void> {
  using kv = await Deno.openKv(`${dir}/kv.sqlite`);
  await kv.delete(leaseKey("housekeeping"));
}

Deno.test("housekeeping that is killed again and again removes what has expired, and nothing else", async () => {
  await using server = await startShiftedServer({ SLUICE_HOUSEKEEPING_SECONDS: "1" });
  const random = new Random(6);
  await fill(server);
  const before = (await keysIn(server.dir, ...EXPIRING)).length;
  assert(before > STREAMS + UPLOADS + 3 * HOURS, String(before));
  // While it is not running, or it would be done at once.
  await server.restart(() => server.shift(40 * DAY));

  const left: number[] = [];
  do {
    // The first round begins after a second.
    await sleep(1000 + random.next() * 60);
    await server.restart(async () => {
      left.push((await keysIn(server.dir, ...EXPIRING)).length);
      await forgetLease(server.dir);
    });
  } while (left.length < 100 && left.at(-1)! > UPLOADS);
  assert(left.length > 3, `housekeeping was hardly interrupted: ${left.join(", ")}`);

  // The sweep of an upload gives the record of its stream another lifetime.
  await server.shift(48 * DAY);
  await until(async () => (await keysIn(server.dir, ...EXPIRING)).length === 0, 10_000);
  const env = { SLUICE_DATA: server.dir };
  await until(async () => (await checkStores(env)).summary.includes("; 0 pieces and values that nobody needs"), 10_000);
  const { summary, damage } = await checkStores(env);
  assertEquals(damage, [], summary);
  const sluice = createSluice({ url: server.url });
  const { files } = await sluice.files.list();
  assertEquals(files.length, FILES);
  for (const { fileId, checksum } of files) assertEquals(sha256(await download(sluice, fileId)), checksum);
});
