/**
 * grpc-go: builds go_client/ and runs its scenarios.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createSluice } from "../../client/mod.ts";
import { GIB } from "../../limits.ts";
import { piecesIn } from "../support/data_dir.ts";
import { until } from "../support/until.ts";
import { server, target } from "./server.ts";
import { buf, findTool, outputOf } from "./tools.ts";

const folder = await Deno.makeTempDir({ prefix: "sluice-grpc-" });
Deno.test.afterAll(async () => await Deno.remove(folder, { recursive: true }));

const program = join(folder, "client");
const descriptors = join(folder, "sluice.binpb");
await outputOf(await findTool("go"), ["build", "-o", program, "."], {
  cwd: fileURLToPath(new URL("go_client/", import.meta.url)),
});
await buf("build", "proto", "-o", `${descriptors}#format=binpb`);

type Figures = Record<string, unknown>;

/** What a scenario saw, and how many ms it took. */
async function play(scenario: string): Promise<[Figures, number]> {
  const line = await outputOf(program, ["-addr", target, "-descriptors", descriptors, scenario]);
  const { milliseconds, ...figures } = JSON.parse(line) as Figures;
  return [figures, Number(milliseconds)];
}

/** Names of the files that a listing shows. */
async function visible(): Promise<string[]> {
  return (await createSluice({ url: server.url }).files.list()).files.map(({ fileName }) => fileName);
}

Deno.test("grpc-go: a file, points and logs", async () => {
  const [figures] = await play("rpcs");
  assertEquals(figures, { intact: true, size: 3 * 1024 * 1024 + 17, points: 5000, logs: 5000 });
});

Deno.test("grpc-go: the services answer to their other names", async () => {
  const [figures] = await play("aliases");
  assertEquals(figures, { "FileUploadService": "completed", "fileupload.FileUploadService": "completed" });
});

Deno.test("grpc-go: a call that is open at its deadline ends with DEADLINE_EXCEEDED", async () => {
  assertEquals((await play("deadline"))[0], { code: "DeadlineExceeded" });
});

Deno.test("grpc-go: a cancelled upload leaves neither file nor piece", async () => {
  const pieces = await piecesIn(server.dir);
  assertEquals((await play("cancel"))[0], { code: "Canceled" });
  await until(async () => (await piecesIn(server.dir)).length === pieces.length, 10_000);
  assert(!(await visible()).includes("go-cancelled.csv"));
});

Deno.test("grpc-go: gzip in both directions", async () => {
  const [{ intact, bytes, sent, received }] = await play("gzip");
  assertEquals(intact, true);
  assert(Number(sent) < Number(bytes) / 10, `${sent} bytes were sent for ${bytes}`);
  assert(Number(received) < Number(bytes) / 10, `${received} bytes were received for ${bytes}`);
});

Deno.test("grpc-go: a refused upload names the field in a BadRequest", async () => {
  assertEquals((await play("details"))[0], { code: "InvalidArgument", fields: ["file_name"] });
});

Deno.test("grpc-go: binary metadata goes in and comes back", async () => {
  assertEquals((await play("metadata"))[0], { points: 1, code: "InvalidArgument", details: 1 });
});

Deno.test("grpc-go: 100 uploads at once on one connection", async () => {
  assertEquals((await play("concurrent"))[0], { streams: 100, connections: 1 });
});

Deno.test("grpc-go: 1 GiB in chunks of 1 MiB, each with its checksum", async () => {
  const [figures, ms] = await play("large");
  assertEquals(figures, { intact: true, size: GIB });
  console.log(`1 GiB in ${(ms / 1000).toFixed(1)} s`);
});
