import { assertEquals, assertMatch } from "@std/assert";
import { ulid } from "ulid";
import { createSluice } from "../../client/mod.ts";
import { connectAnswer, envelope, serveRaw } from "../client/fake_server.ts";
import { searchAll } from "../support/ask.ts";
import { sharedServer } from "../support/shared_server.ts";
import { until } from "../support/until.ts";
import { type Cli, createCli } from "./command.ts";

const server = await sharedServer();
const sluice = createSluice({ url: server.url });
const DAY = 86_400_000;

/** Puts a stream in the place of the one that is remembered: one of which the server knows nothing any more. */
async function forget(cli: Cli, kind: "follow" | "upload"): Promise<void> {
  for await (const { name } of Deno.readDir(`${cli.folder}/.state`)) {
    if (!name.startsWith(kind)) continue;
    const path = `${cli.folder}/.state/${name}`;
    const state = JSON.parse(await Deno.readTextFile(path));
    await Deno.writeTextFile(path, JSON.stringify({ ...state, streamId: `old-${ulid(Date.now() - 8 * DAY)}` }));
  }
}

Deno.test("sluice logs --follow: stopped in mid-stream for longer than the server remembers it, it goes on", async () => {
  await using cli = await createCli(server);
  const args = ["logs", "--follow", "-a", "forgotten", "app.log"];
  const messages = async () => {
    const { hits } = await searchAll(sluice, { application: "forgotten", pageSize: 1000 });
    return hits.map(({ entry }) => entry!.message).sort();
  };
  await Deno.writeTextFile(`${cli.folder}/app.log`, "a\nb\n");
  const first = cli.start(args);
  await until(async () => (await messages()).length === 2, 10_000);
  first.kill("SIGKILL");
  await first.outcome;
  await forget(cli, "follow");
  await Deno.writeTextFile(`${cli.folder}/app.log`, "c\n", { append: true });
  const second = cli.start(args);
  await until(async () => (await messages()).length === 5, 10_000);
  second.kill("SIGINT");
  const { code, stderr } = await second.outcome;
  assertEquals(code, 130);
  assertMatch(stderr, /older than what is known of streams.*; its lines are sent again, as a new stream/);
  assertEquals(await messages(), ["a", "a", "b", "b", "c"]);
});

Deno.test("sluice points: a stream that the server has forgotten is said to be, and the next run begins anew", async () => {
  await using cli = await createCli(server);
  const now = Date.now();
  await Deno.writeTextFile(
    `${cli.folder}/p.csv`,
    `time,host,cli_forgotten\n${now},a,1\n${now},a,fast\n${now + 1},a,3\n`,
  );
  assertEquals((await cli.run(["points", "p.csv"])).code, 1);
  await forget(cli, "upload");
  const refused = await cli.run(["points", "--skip-bad", "p.csv"]);
  assertEquals([refused.code, refused.stdout], [1, ""]);
  assertMatch(refused.stderr, /p\.csv: .*Run the command again to send all of it anew/);
  const again = await cli.run(["points", "--skip-bad", "p.csv"]);
  assertEquals([again.code, again.stdout], [1, "p.csv: 2 stored, 1 lines unreadable\n"]);
});

Deno.test("sluice logs --follow: a server that knows no stream, old or new, ends it", async () => {
  let tries = 0;
  const error = { code: "failed_precondition", message: "not this one" };
  await using never = serveRaw(async (request) => {
    await request.body?.cancel();
    if (request.url.endsWith("/GetStream")) return Response.json({ code: "not_found" }, { status: 404 });
    tries++;
    return connectAnswer(envelope(2, JSON.stringify({ error })));
  });
  await using cli = await createCli(never);
  await Deno.writeTextFile(`${cli.folder}/app.log`, "a\n");
  const { code, stderr } = await cli.run(["logs", "--follow", "app.log"]);
  assertEquals([code, tries], [1, 2]);
  assertMatch(stderr, /app\.log: not this one; its lines are sent again[^]*sluice: not this one/);
});
