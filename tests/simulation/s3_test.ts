import { assertEquals, assertRejects } from "@std/assert";
import { createHash } from "node:crypto";
import type { Fault } from "./faults.ts";
import { MachineClock, Process } from "./process.ts";
import { SimS3 } from "./s3.ts";
import { World } from "./world.ts";

function bucket(fault?: Fault) {
  const world = new World({ seed: 1, faults: false });
  if (fault) world.faults.force(fault);
  const sim = new SimS3("b");
  const fetch = sim.open(new Process(world, "p", new MachineClock(world)));
  const authorization = `AWS4-HMAC-SHA256 Credential=x, SignedHeaders=host, Signature=${"0".repeat(64)}`;
  const send = (method: string, path: string, headers: Record<string, string> = {}, body?: Uint8Array<ArrayBuffer>) =>
    world.scheduler.complete(async () => {
      const response = await fetch(`http://s3/b${path}`, { method, headers: { authorization, ...headers }, body });
      return { status: response.status, headers: response.headers, body: await response.text() };
    });
  return { world, sim, fetch, send };
}

const BODY = new TextEncoder().encode("0123456789");
const checksum = (body: Uint8Array) => createHash("sha256").update(body).digest("base64");

Deno.test("SimS3 stores, reads by range, and removes objects", async () => {
  const { send } = bucket();
  assertEquals((await send("PUT", "/p/a", { "x-amz-checksum-sha256": checksum(BODY) }, BODY)).status, 200);
  assertEquals((await send("GET", "/p/a")).body, "0123456789");
  assertEquals((await send("HEAD", "/p/a")).headers.get("content-length"), "10");
  const part = await send("GET", "/p/a", { range: "bytes=3-5" });
  assertEquals([part.status, part.body, part.headers.get("content-range")], [206, "345", "bytes 3-5/10"]);
  assertEquals((await send("GET", "/p/a", { range: "bytes=8-" })).body, "89");
  assertEquals((await send("GET", "/p/a", { range: "bytes=10-" })).status, 416);
  assertEquals((await send("PUT", "/p/a", { "if-none-match": "*" }, BODY)).status, 412);
  assertEquals((await send("DELETE", "/p/a")).status, 204);
  assertEquals((await send("DELETE", "/p/a")).status, 204);
  assertEquals((await send("GET", "/p/a")).status, 404);
});

Deno.test("SimS3 lists keys in order, in pages", async () => {
  const { send } = bucket();
  for (const key of ["p/e", "p/a", "q/a", "p/d", "p/b", "p/c"]) await send("PUT", `/${key}`, {}, BODY);
  const keys: string[] = [];
  let token: string | undefined;
  let pages = 0;
  do {
    const next = token === undefined ? "" : `&continuation-token=${encodeURIComponent(token)}`;
    const { body } = await send("GET", `/?list-type=2&prefix=p%2F${next}`);
    keys.push(...[...body.matchAll(/<Key>(.*?)<\/Key>/g)].map((match) => match[1]));
    token = /<NextContinuationToken>(.*?)</.exec(body)?.[1];
    pages++;
  } while (token !== undefined);
  assertEquals([keys, pages], [["p/a", "p/b", "p/c", "p/d", "p/e"], 2]);
});

Deno.test("SimS3 refuses what is not signed, elsewhere, or damaged", async () => {
  const { send, sim, world } = bucket();
  assertEquals((await send("GET", "/a", { authorization: "" })).status, 403);
  assertEquals((await send("PUT", "/a", { "x-amz-checksum-sha256": checksum(new Uint8Array(1)) }, BODY)).status, 400);
  assertEquals((await send("PUT", "/a", { "x-amz-content-sha256": "0".repeat(64) }, BODY)).status, 400);
  assertEquals((await send("POST", "/a")).status, 405);
  world.faults.force("s3.damaged");
  const damaged = await send("PUT", "/a", { "x-amz-checksum-sha256": checksum(BODY) }, BODY);
  assertEquals([damaged.status, /<Code>(\w+)/.exec(damaged.body)?.[1]], [400, "BadDigest"]);
  assertEquals(sim.objects.size, 0);
});

Deno.test("SimS3: an upload may land long after its sender gave up", async () => {
  const { world, sim, fetch } = bucket("s3.late");
  const abort = new AbortController();
  const authorization = `AWS4-HMAC-SHA256 Signature=${"0".repeat(64)}`;
  const init = { method: "PUT", headers: { authorization }, body: BODY, signal: abort.signal };
  await world.scheduler.complete(async () => {
    const sent = fetch("http://s3/b/a", init);
    await world.scheduler.sleep(1000);
    abort.abort();
    await assertRejects(() => sent, DOMException);
    assertEquals(sim.objects.size, 0);
    await world.scheduler.sleep(100_000);
  });
  assertEquals(sim.objects.size, 1);
});

Deno.test("SimS3 answers with errors of its own when it is busy", async () => {
  const { send } = bucket("s3.error");
  assertEquals([500, 503].includes((await send("GET", "/a")).status), true);
});
