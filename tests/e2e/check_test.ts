import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { Code, ConnectError, createSluice } from "../../client/mod.ts";
import { HOUR, MIB } from "../../limits.ts";
import { download } from "../support/ask.ts";
import { textBytes } from "../support/chunks.ts";
import { flipInBlob, flipInKv } from "../support/damage.ts";
import { startServer } from "../support/server.ts";
import { runTask } from "../support/tasks.ts";

const FILE = textBytes(3 * MIB);
/** The first hour, whose segments are the ones to be damaged, and the one after it. */
const HOURS = [3, 2].map((ago) => Math.floor(Date.now() / HOUR - ago) * HOUR);
const LINES = 50;

async function fill(dir: string): Promise<string> {
  await using server = await startServer({ dir });
  const sluice = createSluice({ url: server.url });
  const { fileId } = await sluice.uploadFile(FILE, { name: "a.csv" });
  for (const hour of HOURS) {
    const times = Array.from({ length: LINES }, (_, i) => hour + i);
    await sluice.sendPoints(times.map((timestamp) => ({ source: "host", timestamp, metrics: { cpu: 1 } })));
    await sluice.sendLogs(times.map((timestamp) => ({ application: "web", timestamp, message: `line ${timestamp}` })));
  }
  const running = await runTask(dir, "check");
  assertEquals([running.code, running.stderr], [0, ""], running.stdout);
  return fileId;
}

Deno.test("check names a bit that was flipped in a blob and in segments; no reader gets a wrong byte or item", async () => {
  const dir = await Deno.makeTempDir({ prefix: "sluice-test-" });
  try {
    const fileId = await fill(dir);
    const sound = await runTask(dir, "check");
    assertEquals(sound.code, 0, sound.stdout);
    assertMatch(sound.stdout, /^sound; .* 1 files and 0 uploads with 3,145,728 bytes in 3 blocks; 4 segments .*\n$/);

    await flipInBlob(dir, fileId, MIB + 12_345);
    for (const kind of ["points", "logs"]) flipInKv(dir, kind);
    const damaged = await runTask(dir, "check");
    assertEquals(damaged.code, 1);
    const hour = HOURS[0] / HOUR;
    const lines = damaged.stdout.trimEnd().split("\n");
    const expected = [
      new RegExp(`^damaged file/default/${fileId}: damaged blocks .*: 1$`),
      new RegExp(`^damaged file/default/${fileId}: its SHA-256 is not`),
      new RegExp(`^damaged logs/default/${hour}/\\w{26}: .*checksum is wrong$`),
      new RegExp(`^damaged points/default/${hour}/\\w{26}: .*checksum is wrong$`),
      /^damaged: 4 faults; /,
    ];
    assertEquals(lines.length, expected.length, damaged.stdout);
    for (const [i, pattern] of expected.entries()) assertMatch(lines[i], pattern);

    await using server = await startServer({ dir });
    const sluice = createSluice({ url: server.url });
    const lost = await assertRejects(() => download(sluice, fileId), ConnectError);
    assertEquals(Code[lost.code], "DataLoss");
    const part = (offset: number, length: number) => download(sluice, fileId, { offset, length });
    await assertRejects(() => part(MIB, 1), ConnectError);
    assertEquals(await part(0, MIB), FILE.subarray(0, MIB));
    assertEquals(await part(2 * MIB, MIB), FILE.subarray(2 * MIB));

    const { series, segmentsDamaged } = await sluice.queryMetrics({ metric: "cpu", stepMs: BigInt(HOUR) });
    assertEquals(segmentsDamaged, 1n);
    assertEquals(series.flatMap(({ buckets }) => buckets.map(({ timestamp, count }) => [timestamp, count])), [
      [BigInt(HOURS[1]), BigInt(LINES)],
    ]);
    const found = await sluice.searchLogs({ pageSize: 1000 });
    assertEquals(found.segmentsDamaged, 1n);
    assertEquals(
      found.hits.map(({ entry }) => entry?.message).sort(),
      Array.from({ length: LINES }, (_, i) => `line ${HOURS[1] + i}`).sort(),
    );
    for (const key of [`points/default/${hour}/`, `logs/default/${hour}/`, `file/default/${fileId}`]) {
      assert(server.stderr().includes(key), `${key} is not in the log`);
    }
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("check ends with 2 where there is no store, and makes none", async () => {
  const dir = await Deno.makeTempDir({ prefix: "sluice-test-" });
  try {
    const { code, stderr } = await runTask(dir, "check");
    assertEquals(code, 2);
    assertMatch(stderr, /^Cannot check the stores: /);
    assertEquals(await Array.fromAsync(Deno.readDir(dir)), []);
    assertEquals((await runTask(dir, "check", [], { SLUICE_KV: ":memory:" })).code, 2);
    await Deno.writeTextFile(`${dir}/kv.sqlite`, "this is no database".repeat(100));
    assertEquals((await runTask(dir, "check")).code, 2);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
