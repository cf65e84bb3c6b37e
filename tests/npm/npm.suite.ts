/**
 * `deno task test:npm`: the npm package of the client, installed with npm into an empty folder: a script runs with Node
 * against a real server, tsc checks a consumer, the command runs. Needs node and npm, and npm's registry.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { buildPackage, TYPESCRIPT } from "../../scripts/client_package.ts";
import { sha256, textBytes } from "../support/chunks.ts";
import { startServer } from "../support/server.ts";

const folder = await Deno.makeTempDir({ prefix: "sluice-npm-test-" });
const app = `${folder}/app`;
const TSC = ["tsc", "--strict", "--module", "nodenext", "--target", "es2022", "--types", "node"];
Deno.test.afterAll(() => Deno.remove(folder, { recursive: true }));

async function run(command: string, args: string[], env: Record<string, string> = {}) {
  const output = await new Deno.Command(command, { args, cwd: app, env: { ...env, NO_COLOR: "1" } }).output();
  const decoder = new TextDecoder();
  return { code: output.code, stdout: decoder.decode(output.stdout), stderr: decoder.decode(output.stderr) };
}

const SCRIPT = `import { createSluice, type Sluice, type UploadResult } from "sluice-client";
import { csvPoints } from "sluice-client/readers/csv";
import { plainLogs } from "sluice-client/readers/plain";

const sluice: Sluice = createSluice({ url: process.argv[2] ?? "" });
const { fileId, checksum, totalSize }: UploadResult = await sluice.uploadFile("big.csv");
let bytes = 0;
for await (const piece of sluice.files.download(fileId)) bytes += piece.length;
const table = new Blob(["time,host,cpu\\n" + Date.now() + ",node,0.5\\n"]);
const points = await sluice.sendPoints(csvPoints(table.stream() as unknown as AsyncIterable<Uint8Array>));
const text = new Blob(["WARN slow answer\\n"]);
const logs = await sluice.sendLogs(plainLogs(text.stream() as unknown as AsyncIterable<Uint8Array>));
console.log(checksum, String(totalSize), bytes, points.successfulCount, logs.indexedCount);
`;

Deno.test("the package builds, and npm installs it into an empty folder", async () => {
  assert(await buildPackage(`${folder}/package`));
  const manifest = JSON.parse(await Deno.readTextFile(`${folder}/package/package.json`));
  assertEquals([manifest.type, manifest.engines.node], ["module", ">=20"]);
  for (const { types, default: script } of Object.values<Record<string, string>>(manifest.exports)) {
    for (const path of [types, script]) assert((await Deno.stat(`${folder}/package/${path}`)).isFile, path);
  }
  await Deno.mkdir(app);
  await Deno.writeTextFile(`${app}/package.json`, '{"type":"module","private":true}');
  const { code, stderr } = await run("npm", [
    ...["install", "--no-audit", "--no-fund", "--install-links"],
    ...["../package", `typescript@${TYPESCRIPT}`, "@types/node@20"],
  ]);
  assertEquals(code, 0, stderr);
});

Deno.test("the package works from where `npm install FOLDER` links it", async () => {
  await using server = await startServer();
  const linked = `${folder}/linked`;
  await Deno.mkdir(linked);
  await Deno.writeTextFile(`${linked}/package.json`, '{"type":"module","private":true}');
  const run = async (command: string, ...args: string[]) => {
    const output = await new Deno.Command(command, { args, cwd: linked, env: { NO_COLOR: "1" } }).output();
    const decoder = new TextDecoder();
    assertEquals(output.code, 0, decoder.decode(output.stderr));
    return [decoder.decode(output.stdout), decoder.decode(output.stderr)];
  };
  const [, complaints] = await run("npm", "install", "--no-audit", "--no-fund", "../package");
  // Of engines that are too old, for one.
  assertEquals(complaints, "");
  await Deno.writeTextFile(
    `${linked}/script.js`,
    `import { createSluice } from "sluice-client";
const sluice = createSluice({ url: process.argv[2] });
const sent = await sluice.sendPoints([{ source: "linked", timestamp: Date.now(), metrics: { x: 1 } }]);
console.log(sent.successfulCount);
`,
  );
  assertEquals((await run("node", "script.js", server.url))[0], "1\n");
  assertMatch((await run("npx", "sluice", "status", "--url", server.url))[0], /is ready/);
});

Deno.test("the package's types: tsc checks a consumer, and finds what is wrong with it", async () => {
  await Deno.writeTextFile(`${app}/script.ts`, SCRIPT);
  const good = await run("npx", [...TSC, "--noEmit", "script.ts"]);
  assertEquals([good.stdout, good.code], ["", 0]);
  await Deno.writeTextFile(`${app}/wrong.ts`, SCRIPT.replace('"big.csv"', "5"));
  const wrong = await run("npx", [...TSC, "--noEmit", "wrong.ts"]);
  assertMatch(wrong.stdout, /wrong\.ts.*TS2345/);
});

Deno.test("the package in Node: a file, points and logs, and the file back", async () => {
  await using server = await startServer();
  const data = textBytes(3_000_000);
  await Deno.writeFile(`${app}/big.csv`, data);
  assertEquals((await run("npx", [...TSC, "script.ts"])).code, 0);
  const { code, stdout, stderr } = await run("node", ["script.js", server.url]);
  assertEquals(code, 0, stderr);
  assertEquals(stdout, `${sha256(data)} ${data.length} ${data.length} 1 1\n`);
});

Deno.test("the package's command in Node: uploads, sends and finds", async () => {
  await using server = await startServer();
  const env = { SLUICE_URL: server.url, SLUICE_STATE: `${folder}/state` };
  await Deno.writeTextFile(`${app}/small.csv`, `time,host,cpu\n${Date.now()},node,0.5\n`);
  await Deno.writeTextFile(`${app}/app.log`, "WARN slow answer\n");
  const commands: Record<string, RegExp> = {
    "upload small.csv": /^\S+ {2}small\.csv/,
    "points small.csv": /^small\.csv: 1 stored\n$/,
    "logs app.log": /^app\.log: 1 stored\n$/,
    "query cpu": /node +1 +0\.5/,
    "search slow": /WARN {2}app: WARN slow answer\n$/,
    "status": /is ready/,
  };
  for (const [command, expected] of Object.entries(commands)) {
    const { code, stdout, stderr } = await run("npx", ["sluice", ...command.split(" ")], env);
    assertEquals(code, 0, `${command}: ${stderr}`);
    assertMatch(stdout, expected);
  }
});
