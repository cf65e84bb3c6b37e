import { assertEquals, assertRejects } from "@std/assert";
import { RequestBody } from "../../http2/body.ts";
import { RequestAborted } from "../../http2/errors.ts";

/** A body, and what its owner was told. */
function makeBody() {
  const told = { consumed: 0, wanted: 0 };
  const body = new RequestBody({
    bodyConsumed: (bytes) => void (told.consumed += bytes),
    bodyWanted: () => void told.wanted++,
  });
  return { body, told };
}

const gone = new RequestAborted("client", 8, "gone");

Deno.test("RequestBody.next() joins small chunks that wait, and says what was consumed", async () => {
  const { body, told } = makeBody();
  for (let i = 0; i < 5; i++) body.push(new Uint8Array([i]));
  body.push(new Uint8Array(65_536));
  body.end();
  assertEquals(told.consumed, 0);
  assertEquals((await body.next()).value, new Uint8Array([0, 1, 2, 3, 4]));
  assertEquals(told.consumed, 5);
  assertEquals((await body.next()).value?.length, 65_536);
  assertEquals(await body.next(), { done: true, value: undefined });
  assertEquals(told, { consumed: 65_541, wanted: 0 });
});

Deno.test("RequestBody.next() waits for a push, and only one may wait", async () => {
  const { body, told } = makeBody();
  const first = body.next();
  assertEquals(body.waiting, true);
  await assertRejects(() => body.next(), TypeError, "another read is pending");
  body.push(new Uint8Array(3));
  assertEquals((await first).value?.length, 3);
  assertEquals(told, { consumed: 3, wanted: 1 });
});

Deno.test("RequestBody.fail() drops what waits, and never looks like an end", async () => {
  const { body, told } = makeBody();
  body.push(new Uint8Array(7));
  body.end();
  body.fail(gone);
  assertEquals(told.consumed, 7);
  await assertRejects(() => body.next(), RequestAborted, "gone");
  await assertRejects(() => body.next(), RequestAborted, "gone");
});

Deno.test("RequestBody.fail() after the end was read changes nothing", async () => {
  const { body } = makeBody();
  body.push(new Uint8Array(1));
  body.end();
  await body.next();
  body.fail(gone);
  assertEquals((await body.next()).done, true);
});

Deno.test("RequestBody.return() drops what is there and what comes", async () => {
  const { body, told } = makeBody();
  body.push(new Uint8Array(2));
  for await (const chunk of body) {
    assertEquals(chunk.length, 2);
    break;
  }
  body.push(new Uint8Array(5));
  assertEquals(told.consumed, 7);
  assertEquals((await body.next()).done, true);
});
