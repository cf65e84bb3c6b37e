import { assertEquals, assertMatch } from "@std/assert";
import { createSluice } from "../../client/mod.ts";
import { searchAll } from "../support/ask.ts";
import { sharedServer } from "../support/shared_server.ts";
import { until } from "../support/until.ts";
import { createCli } from "./command.ts";

const server = await sharedServer();
const sluice = createSluice({ url: server.url });

async function messagesOf(application: string): Promise<string[]> {
  const { hits } = await searchAll(sluice, { application, pageSize: 1000 });
  return hits.map(({ entry }) => entry!.message).sort();
}

Deno.test("sluice logs: a line that is too long ends the sending, or is left out", async () => {
  await using cli = await createCli(server);
  await Deno.writeTextFile(`${cli.folder}/long.log`, `a\nb\n${"x".repeat(2 ** 20 + 1)}\nc\n`);
  const ended = await cli.run(["logs", "long.log"]);
  assertEquals(ended.code, 1);
  assertMatch(ended.stderr, /long\.log: line 3: must have at most 1048576 characters/);
  await until(async () => (await messagesOf("long")).length === 2, 5000);
  const skipped = await cli.run(["logs", "--skip-bad", "long.log"]);
  assertEquals([skipped.code, skipped.stdout], [1, "long.log: 3 stored, 1 lines unreadable\n"]);
  assertEquals(await messagesOf("long"), ["a", "b", "c"]);
});

Deno.test("sluice logs --follow: a line that is too long is left out, and it goes on", async () => {
  await using cli = await createCli(server);
  const following = cli.start(["logs", "--follow", "-a", "longfollow", "app.log"]);
  await until(() => following.stderr().includes("app.log is not there yet; it is waited for"), 10_000);
  // Above what the follower hands over in parts.
  await Deno.writeTextFile(`${cli.folder}/app.log`, `a\n${"x".repeat(9 * 2 ** 20)}\nb\n`);
  await until(async () => (await messagesOf("longfollow")).length === 2, 10_000);
  await Deno.writeTextFile(`${cli.folder}/app.log`, "c\n", { append: true });
  await until(async () => (await messagesOf("longfollow")).length === 3, 10_000);
  following.kill("SIGINT");
  const { code, stderr } = await following.outcome;
  assertEquals(code, 130);
  assertEquals(stderr.match(/left out: must have at most 1048576 characters/g)?.length, 1);
  assertEquals(await messagesOf("longfollow"), ["a", "b", "c"]);
});
