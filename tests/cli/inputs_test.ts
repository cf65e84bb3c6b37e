import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { resolve } from "node:path";
import { expandPaths, openInput } from "../../client/cli/inputs.ts";
import { sharedServer } from "../support/shared_server.ts";
import { createCli } from "./command.ts";

const server = await sharedServer();
const row = (metric: string) => `time,host,${metric}\n${Date.now()},a,1\n`;

Deno.test("sluice points: an input that cannot be opened does not stand in the way of the next", async () => {
  await using cli = await createCli(server);
  using _socket = Deno.listen({ transport: "unix", path: `${cli.folder}/x.csv` });
  await Deno.writeTextFile(`${cli.folder}/y.csv`, row("cli_after"));
  const { code, stdout, stderr } = await cli.run(["points", "x.csv", "missing.csv", "y.csv"]);
  assertEquals([code, stdout], [1, "y.csv: 1 stored\n"]);
  assertMatch(stderr, /^sluice: x\.csv: ENXIO: [^\n]*\nsluice: missing\.csv: ENOENT: [^\n]*\n$/);
});

Deno.test("openInput() tells that a file is gone to whoever reads it, however late", async () => {
  const input = openInput("/tmp/sluice-there-is-no-such-file");
  await new Promise((resolve) => setTimeout(resolve, 50));
  await assertRejects(() => Array.fromAsync(input), Error, "ENOENT");
});

Deno.test("sluice upload: a folder that cannot be looked into and a pattern without a file do not stop the others", async () => {
  await using cli = await createCli(server);
  await Deno.mkdir(`${cli.folder}/data`);
  await Deno.writeTextFile(`${cli.folder}/data/a.txt`, "a");
  await Deno.writeTextFile(`${cli.folder}/b.txt`, "b");
  // A path longer than 4,096 bytes cannot be read by anybody.
  const deep = `cd data; n=$(printf %0250d 0); for i in $(seq 17); do mkdir $n; cd $n; done`;
  await new Deno.Command("sh", { args: ["-c", deep], cwd: cli.folder }).output();
  const { code, stdout, stderr } = await cli.run(["upload", "none-*.txt", "data", "b.txt"]);
  assertEquals(code, 1);
  assertEquals([...stdout.matchAll(/ {2}([ab])\.txt {2}/g)].map(([, name]) => name).sort(), ["a", "b"]);
  assertMatch(stderr, /no file fits the pattern none-\*\.txt\n/);
  assertMatch(stderr, /sluice: data\/0+\S+: ENAMETOOLONG/);
});

Deno.test("expandPaths(): links to files are files, links to folders are not followed, and what is empty is said to be", async () => {
  const folder = await Deno.makeTempDir({ prefix: "sluice-inputs-" });
  try {
    for (const name of ["in/deep", "out", "empty"]) await Deno.mkdir(`${folder}/${name}`, { recursive: true });
    for (const name of ["in/a.txt", "in/.hidden", "in/deep/b.txt", "out/c.txt", "empty/.hidden"]) {
      await Deno.writeTextFile(`${folder}/${name}`, "");
    }
    await Deno.symlink("../out/c.txt", `${folder}/in/file`);
    await Deno.symlink("..", `${folder}/in/folder`);
    await Deno.symlink("nowhere", `${folder}/in/gone`);
    const said: string[] = [];
    const context = {
      note: (text: string) => said.push(`note: ${text.replaceAll(folder, "")}`),
      warn: (text: string) => said.push(`warn: ${text.replaceAll(folder, "")}`),
    };
    const { paths, code } = await expandPaths(context, [`${folder}/in`, `${folder}/empty`, `${folder}/in/a.txt`]);
    assertEquals(paths, ["in/a.txt", "in/deep/b.txt", "in/file"].map((name) => `${folder}/${name}`));
    assertEquals(code, 1);
    assertEquals(said.map((text) => text.replace(/(ENOENT).*/, "$1")), [
      "note: /in/folder: links to folders are not followed",
      "warn: /in/gone: ENOENT",
      "note: /empty: no files are in it",
    ]);
    said.length = 0;
    await Deno.symlink("../a.txt", `${folder}/in/deep/link.txt`);
    await Deno.symlink("../out", `${folder}/in/to`);
    const fitting = await expandPaths(context, [`${folder}/in/**/*.txt`]);
    const found = ["in/a.txt", "in/deep/b.txt", "in/deep/link.txt"].map((name) => `${folder}/${name}`);
    assertEquals(fitting.paths.map((path) => resolve(path)), found);
    assertMatch(said.join(), /note: \S*\/in\/to: links to folders are not followed/);
    // What is named is what was asked for.
    const named = await expandPaths(context, [`${folder}/in/to/*.txt`]);
    assertEquals(named.paths.map((path) => resolve(path)), [`${folder}/in/to/c.txt`]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
