import { assert, assertEquals, assertMatch } from "@std/assert";
import { createSluice } from "../../client/mod.ts";
import { MIB } from "../../limits.ts";
import { searchAll } from "../support/ask.ts";
import { sha256, textBytes } from "../support/chunks.ts";
import { sharedServer } from "../support/shared_server.ts";
import { until } from "../support/until.ts";
import { createCli } from "./command.ts";
import { startHaltingProxy } from "./halting_proxy.ts";
import { numberOf, type Rotation, writeLog } from "./log_writer.ts";

const server = await sharedServer();
const sluice = createSluice({ url: server.url });

Deno.test("sluice upload: interrupted by Ctrl-C, the same command goes on from what is stored", async () => {
  await using proxy = startHaltingProxy(server.url, 20 * MIB);
  await using cli = await createCli(proxy);
  const data = textBytes(32 * MIB);
  await Deno.writeFile(`${cli.folder}/large.csv`, data);
  const first = cli.start(["upload", "large.csv"]);
  // More than the half of it has been committed, and the rest is held up.
  const committed = await until(async () => {
    const { code, stdout } = await cli.run(["--json", "--url", server.url, "status"]);
    const [stream] = code === 0 ? JSON.parse(stdout).streams : [];
    if (stream !== undefined) assertEquals([stream.kind, stream.state], ["file", "open"]);
    return stream?.committed >= 16 * MIB && stream.committed;
  }, 10_000);
  first.kill("SIGINT");
  const { code, stdout, stderr } = await first.outcome;
  assertEquals([code, stdout], [130, ""]);
  assertMatch(stderr, /interrupted: run the same command again to go on/);

  proxy.release();
  const second = await cli.run(["--json", "upload", "large.csv"]);
  assertMatch(second.stderr, /goes on where it was left: [\d,]{9,} are stored/);
  const receipt = JSON.parse(second.stdout);
  assertEquals([receipt.totalSize, receipt.checksum], [data.length, sha256(data)]);
  assert(committed < data.length);
  const [again] = await cli.json(["upload", "large.csv"]);
  assert(again.fileId !== receipt.fileId, "an upload that is finished is not remembered");
});

Deno.test("sluice logs FILE: killed in the middle and run again, every line is there once", async () => {
  await using proxy = startHaltingProxy(server.url, 3 * MIB);
  await using cli = await createCli(proxy);
  await writeLog(`${cli.folder}/once.log`, { lines: 60_000, linesPerSecond: 1e9, rotation: "none", rotations: 0 });
  const first = cli.start(["logs", "--application", "once", "once.log"]);
  await until(async () => (await sluice.searchLogs({ application: "once", pageSize: 1 })).hits.length > 0, 10_000);
  first.kill("SIGKILL");
  await first.outcome;
  proxy.release();
  const again = await cli.run(["--json", "logs", "--application", "once", "once.log"]);
  assertEquals(again.code, 0, again.stderr);
  assertMatch(again.stderr, /goes on where it was left/);
  const { hits } = await searchAll(sluice, { application: "once", pageSize: 1000 });
  assertEquals(new Set(hits.map(({ entry }) => numberOf(entry!.message))).size, 60_000);
  assertEquals(hits.length, 60_000);
});

for (const rotation of ["rename", "copytruncate"] as Rotation[]) {
  Deno.test(`sluice logs --follow: killed twice and interrupted across ${rotation}: no line twice, none lost`, async () => {
    await using cli = await createCli(server);
    const application = `follow-${rotation}`;
    const path = `${cli.folder}/app.log`;
    const args = ["logs", "--follow", "--application", application, "app.log"];
    const writing = writeLog(path, { lines: 50_000, linesPerSecond: 10_000, rotation, rotations: 3 });
    for (const signal of ["SIGKILL", "SIGKILL", "SIGINT"] as const) {
      const running = cli.start(args);
      await until(() => running.stderr().includes("following"), 20_000);
      await new Promise((resolve) => setTimeout(resolve, 1000));
      running.kill(signal);
      const { code } = await running.outcome;
      if (signal === "SIGINT") assertEquals(code, 130);
    }
    const last = cli.start(args);
    const { lines, lost, rotations } = await writing;
    assertEquals([rotations, lost.size > 0], [3, rotation === "copytruncate"]);
    const expected = lines - lost.size;
    const count = async () => (await searchAll(sluice, { application, pageSize: 1000 })).hits;
    // Also later, nothing comes twice.
    await until(async () => (await count()).length >= expected, 20_000);
    await new Promise((resolve) => setTimeout(resolve, 500));
    last.kill("SIGINT");
    assertEquals((await last.outcome).code, 130);
    const hits = await count();
    const numbers = new Set(hits.map(({ entry }) => numberOf(entry!.message)));
    assertEquals([hits.length, numbers.size, lost.intersection(numbers).size], [expected, expected, 0]);
  });
}
