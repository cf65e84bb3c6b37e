import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { localName } from "../../client/cli/download.ts";
import { FileUploadService } from "../../gen/sluice/v1/file_upload_pb.ts";
import { createSluice } from "../../client/mod.ts";
import { MIB } from "../../limits.ts";
import { serveConnect } from "../client/fake_server.ts";
import { sha256, textBytes } from "../support/chunks.ts";
import { sharedServer } from "../support/shared_server.ts";
import { until } from "../support/until.ts";
import { createCli } from "./command.ts";
import { startHaltingProxy } from "./halting_proxy.ts";

const server = await sharedServer();
const data = textBytes(24 * MIB);
let id: string;

Deno.test.beforeAll(async () => {
  ({ fileId: id } = await createSluice({ url: server.url }).uploadFile(data, { name: "large.csv" }));
});

const names = async (folder: string) => (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name).sort();

for (const signal of ["SIGINT", "SIGKILL"] as const) {
  Deno.test(`sluice download: ended by ${signal}, the same command goes on from what is there`, async () => {
    await using proxy = startHaltingProxy(server.url, 10 * MIB, "answers");
    await using cli = await createCli(proxy);
    const part = `${cli.folder}/${id}.part`;
    const first = cli.start(["download", id]);
    const kept = await until(async () => {
      const { size } = await Deno.stat(part).catch(() => ({ size: 0 }));
      return size >= 8 * MIB ? size : undefined;
    }, 10_000);
    first.kill(signal);
    const { code, stderr } = await first.outcome;
    if (signal === "SIGINT") {
      assertEquals(code, 130);
      assertMatch(stderr, /\.part keeps what has come, \d+\.\d MiB\n.*run the same command again to go on/);
    }
    assertEquals(await names(cli.folder), [`${id}.part`]);
    assert((await Deno.stat(part)).size >= kept);
    // As much as passes of one connection is enough for the rest, and not for all.
    await using rest = startHaltingProxy(server.url, 17 * MIB, "answers");
    const second = await cli.run(["--json", "--url", rest.url, "download", id]);
    assertEquals(second.code, 0, second.stderr);
    assertMatch(second.stderr, /goes on after \d+\.\d MiB/);
    assertEquals(JSON.parse(second.stdout).path, "large.csv");
    assertEquals(sha256(await Deno.readFile(`${cli.folder}/large.csv`)), sha256(data));
    assertEquals(await names(cli.folder), ["large.csv"]);
  });
}

Deno.test("sluice download: what is there and is no part of the file, is more than it, or is all of it", async () => {
  await using cli = await createCli(server);
  const wrong = data.slice(0, 10 * MIB);
  wrong[5 * MIB] ^= 1;
  for (const [there, said] of [[wrong, 1], [new Uint8Array(data.length + 1), 0], [data, 0]] as const) {
    await Deno.writeFile(`${cli.folder}/${id}.part`, there);
    const { code, stderr } = await cli.run(["download", id, "--output", "copy.csv"]);
    assertEquals([code, stderr.match(/it is downloaded anew/g)?.length ?? 0], [0, said], stderr);
    assertEquals(sha256(await Deno.readFile(`${cli.folder}/copy.csv`)), sha256(data));
    assertEquals(await names(cli.folder), ["copy.csv"]);
  }
});

Deno.test("sluice download: into what is no file, it goes without a half of one", async () => {
  await using cli = await createCli(server);
  assertEquals((await cli.run(["download", id, "--output", "/dev/null"])).code, 0);
  assert((await Deno.stat("/dev/null")).isCharDevice);
  const { code, stderr } = await cli.run(["download", id, "--output", "nowhere/"]);
  assertEquals([code, stderr], [1, "sluice: nowhere/: there is no such folder\n"]);
  assertEquals(await names(cli.folder), []);
});

Deno.test("localName() is a name in the folder, and no other path", () => {
  for (const name of ["a.txt", "a b..txt", "ä.csv", "12:00.csv", "ab:c.txt"]) assertEquals(localName(name), name);
  const paths = ["", ".", "..", "../a.txt", "/etc/passwd", "a/b.txt", "..\\a.txt", "C:a.txt", "C:\\a.txt"];
  for (const name of [...paths, "a\0.txt", "a\n.txt", "\u001b[2J.txt", ".bashrc"]) {
    assertThrows(() => localName(name), Error, "--output");
  }
});

Deno.test("sluice download: a server's name for a file leads nowhere else, and takes the place of nothing", async () => {
  let fileName = "../escaped.txt";
  const bytes = new TextEncoder().encode("from afar");
  await using hostile = serveConnect((router) => {
    router.service(FileUploadService, {
      getFile: () => ({ file: { fileId: "x", fileName, totalSize: 9n, checksum: sha256(bytes) } }),
      async *downloadFile() {
        yield { data: bytes, offset: 0n, totalSize: 9n, fileChecksum: sha256(bytes) };
      },
    });
  });
  await using cli = await createCli(hostile);
  await Deno.mkdir(`${cli.folder}/in`);
  const escaped = await cli.run(["download", "x", "--output", "in"]);
  assertEquals([escaped.code, escaped.stdout], [1, ""]);
  assertMatch(escaped.stderr, /the server calls the file "\.\.\/escaped\.txt": give another name with --output/);
  fileName = "mine.txt";
  await Deno.writeTextFile(`${cli.folder}/mine.txt`, "mine");
  const there = await cli.run(["download", "x"]);
  assertEquals([there.code, there.stderr], [
    1,
    "sluice: mine.txt is there already: name it with --output to replace it\n",
  ]);
  assertEquals(await Deno.readTextFile(`${cli.folder}/mine.txt`), "mine");
  assertEquals((await cli.run(["download", "x", "--output", "mine.txt"])).code, 0);
  assertEquals(await Deno.readTextFile(`${cli.folder}/mine.txt`), "from afar");
  assertEquals(await names(cli.folder), ["in", "mine.txt"]);
});
