import { assert, assertEquals, assertMatch } from "@std/assert";
import { Code, ConnectError } from "@connectrpc/connect";
import { exitCodeOf } from "../../client/cli/exit.ts";
import { toSluiceError } from "../../client/errors.ts";
import { SluiceError } from "../../client/mod.ts";
import { QueryService } from "../../gen/sluice/v1/query_pb.ts";
import { RetryInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { serveConnect, serveRaw } from "../client/fake_server.ts";
import { sharedServer } from "../support/shared_server.ts";
import { until } from "../support/until.ts";
import { createCli } from "./command.ts";

Deno.test("exitCodeOf(): what may succeed later is 3, what is refused for good 1, whoever may not 4", () => {
  const full = (asked: boolean) => {
    const details = asked ? [{ desc: RetryInfoSchema, value: {} }] : [];
    return toSluiceError(new ConnectError("full", Code.ResourceExhausted, undefined, details));
  };
  assertEquals([true, false].map((asked) => exitCodeOf(full(asked))), [3, 1]);
  const codes = [Code.Unavailable, Code.DeadlineExceeded, Code.Aborted, Code.InvalidArgument, Code.PermissionDenied];
  assertEquals(codes.map((code) => exitCodeOf(toSluiceError(new ConnectError("x", code)))), [3, 3, 3, 1, 4]);
  const mine = new SluiceError("x", { code: Code.Unavailable, reason: "producer", retryable: false });
  assertEquals([mine, new Error("x")].map(exitCodeOf), [1, 1]);
});

Deno.test("sluice status: a server that does not answer in time ends with 3", async () => {
  const silent = new AbortController();
  await using server = serveRaw(({ url }) =>
    url.endsWith("/readyz")
      ? new Response("ready\n")
      : new Promise((resolve) => silent.signal.addEventListener("abort", () => resolve(new Response())))
  );
  await using cli = await createCli(server);
  const { code, stderr } = await cli.run(["status"]);
  silent.abort();
  assertEquals(code, 3, stderr);
});

Deno.test("sluice: what only shows to be wrong when it is used ends with 2", async () => {
  const server = await sharedServer();
  await using cli = await createCli(server);
  await Deno.writeTextFile(`${cli.folder}/a.unknown`, "a\n");
  await Deno.writeTextFile(`${cli.folder}/nohdr.csv`, "1,2,3\n4,5,6\n");
  const wrong: [string[], RegExp][] = [
    [["search", "ms:>fast"], /expected a number at character 5/],
    [["search", "(a"], /at character/],
    [["search", "x", "--level", "nope"], /level/],
    [["query", "cpu", "--from", "1h", "--to", "2h"], /to/],
    [["points", "a.unknown"], /give --format/],
    [["points", "nohdr.csv"], /line 1: has no column timestamp/],
  ];
  for (const [args, said] of wrong) {
    const { code, stderr } = await cli.run(args);
    assertEquals(code, 2, `${args.join(" ")}: ${stderr}`);
    assertMatch(stderr, said);
  }
});

Deno.test("sluice search --follow: ends with 3 after --wait, without a word of a connection", async () => {
  const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const { port } = listener.addr;
  // Nobody listens there any more.
  listener.close();
  await using cli = await createCli({ url: `http://127.0.0.1:${port}` });
  const { code, stderr } = await cli.run(["--wait", "500ms", "search", "--follow", "x"]);
  assertEquals(code, 3, stderr);
  assert(!stderr.includes("the connection was lost"), stderr);
});

Deno.test("sluice status: names what is no Sluice server", async () => {
  await using server = serveRaw(() => new Response("hello\n"));
  await using cli = await createCli(server);
  const { code, stderr } = await cli.run(["status"]);
  assertEquals(code, 3);
  assertMatch(stderr, /check the url: what answers there is no Sluice server/);
});

Deno.test("sluice search --follow: says when the connection was lost, and when it goes on", async () => {
  let answers = 0;
  await using server = serveConnect((router) =>
    router.service(QueryService, {
      searchLogs: () => ({}),
      async *tailLogs(_, { signal }) {
        yield {};
        if (answers++ > 0) await new Promise((resolve) => signal.addEventListener("abort", resolve));
      },
    })
  );
  await using cli = await createCli(server);
  const following = cli.start(["search", "--follow", "x"]);
  await until(() => following.stderr().includes("it goes on"), 10_000);
  following.kill("SIGINT");
  const { code, stderr } = await following.outcome;
  assertEquals(code, 130);
  assertMatch(stderr, /^following; .*\nsluice: the connection was lost: .*\nit goes on\ninterrupted\n$/);
});

Deno.test("sluice: interrupted, it says that it goes on only if it does", async () => {
  const commands: [string[], string][] = [
    [["download", "a"], "run the same command again to go on"],
    [["download", "a", "-o", "-"], "the same command begins anew"],
    [["search", "a"], "interrupted\n"],
  ];
  for (const [args, said] of commands) {
    const silent = new AbortController();
    const asked = Promise.withResolvers<void>();
    await using server = serveRaw(() => {
      asked.resolve();
      return new Promise((resolve) => silent.signal.addEventListener("abort", () => resolve(new Response())));
    });
    await using cli = await createCli(server);
    const running = cli.start(args);
    await asked.promise;
    running.kill("SIGINT");
    const { code, stderr } = await running.outcome;
    silent.abort();
    assertEquals([code, stderr.includes(said)], [130, true], stderr);
  }
});
