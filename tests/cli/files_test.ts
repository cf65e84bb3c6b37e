import { assert, assertEquals, assertMatch } from "@std/assert";
import { sha256, textBytes } from "../support/chunks.ts";
import { sharedServer } from "../support/shared_server.ts";
import { createCli } from "./command.ts";

const server = await sharedServer();

Deno.test("sluice upload: files, folders, patterns and standard input; download brings them back", async () => {
  await using cli = await createCli(server);
  const { folder } = cli;
  const contents: Record<string, Uint8Array<ArrayBuffer>> = {
    "one.csv": textBytes(300_000),
    "many/a.txt": textBytes(10),
    "many/deep/b.txt": textBytes(2_000_000),
    "many/.hidden.txt": textBytes(10),
    "logs-1.json": new TextEncoder().encode("[1]"),
    "logs-2.json": new TextEncoder().encode("[2]"),
  };
  await Deno.mkdir(`${folder}/many/deep`, { recursive: true });
  for (const [path, data] of Object.entries(contents)) await Deno.writeFile(`${folder}/${path}`, data);
  const uploaded = await cli.json(["upload", "one.csv", "many", "logs-*.json", "one.csv"]);
  assertEquals(uploaded.map(({ fileName }) => fileName).sort(), [
    "a.txt",
    "b.txt",
    "logs-1.json",
    "logs-2.json",
    "one.csv",
  ]);
  const { fileId, checksum, totalSize } = uploaded.find(({ fileName }) => fileName === "b.txt");
  assertEquals([checksum, totalSize], [sha256(contents["many/deep/b.txt"]), 2_000_000]);
  assertEquals((await cli.run(["download", fileId])).code, 0);
  assertEquals(sha256(await Deno.readFile(`${folder}/b.txt`)), checksum);
  assertEquals((await cli.run(["download", fileId, "-o", "many"])).code, 0);
  assertEquals(sha256(await Deno.readFile(`${folder}/many/b.txt`)), checksum);

  const piped = await cli.run(["upload", "--name", "piped.txt", "-"], "from a pipe\n");
  assertEquals(piped.code, 0, piped.stderr);
  const [id] = piped.stdout.split(" ");
  assertEquals((await cli.run(["download", id, "--output", "-"])).stdout, "from a pipe\n");

  const listed = await cli.json(["files"]);
  assert(listed.some((file) => file.fileId === id && file.totalSize === 12));
  assertEquals((await cli.json(["files", "--limit", "2"])).length, 2);
  assertEquals((await cli.run(["delete", id])).code, 0);
  const gone = await cli.run(["download", id]);
  assertEquals(gone.code, 1);
  assertMatch(gone.stderr, /not_found/);
});

Deno.test("sluice upload: one that fails does not stop the others, and the exit code says so", async () => {
  await using cli = await createCli(server);
  await Deno.writeTextFile(`${cli.folder}/good.txt`, "good");
  await Deno.writeTextFile(`${cli.folder}/bad.exe`, "bad");
  const { code, stdout, stderr } = await cli.run(["upload", "missing.txt", "bad.exe", "good.txt"]);
  assertEquals(code, 1);
  assertMatch(stdout, /^\S+ {2}good\.txt {2}4 B .*sha256 [0-9a-f]{64}\n$/);
  assertMatch(stderr, /bad\.exe: .*extensions/);
  assertMatch(stderr, /missing\.txt: /);
  assertEquals((await cli.run(["upload", "nothing-*.txt"])).code, 1);
});

Deno.test("sluice: a server that is not reached ends with 3, one that is none says so", async () => {
  const port = (() => {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    return listener.addr.port;
  })();
  await using nobody = await createCli({ url: `http://127.0.0.1:${port}` });
  await Deno.writeTextFile(`${nobody.folder}/a.txt`, "a");
  for (const args of [["upload", "a.txt"], ["files"], ["status"]]) {
    assertEquals((await nobody.run(["--wait", "200ms", ...args])).code, 3, args.join(" "));
  }
  await using other = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    () => new Response("<html>welcome</html>", { headers: { "content-type": "text/html" } }),
  );
  await using wrong = await createCli({ url: `http://127.0.0.1:${other.addr.port}` });
  await Deno.writeTextFile(`${wrong.folder}/a.txt`, "a");
  for (const args of [["upload", "a.txt"], ["status"]]) {
    assertEquals((await wrong.run(["--wait", "200ms", ...args])).code, 3, args.join(" "));
  }
});

Deno.test("sluice status: ready, and the streams that are open", async () => {
  await using cli = await createCli(server);
  const [status] = await cli.json(["status"]);
  assertEquals([status.url, status.ready], [server.url, true]);
  assertMatch((await cli.run(["status"])).stdout, /is ready\n/);
});
