import { assert, assertEquals, assertRejects } from "@std/assert";
import { crypto, timingSafeEqual } from "@std/crypto";

const EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

function hex(buffer: ArrayBuffer): string {
  return new Uint8Array(buffer).toHex();
}

async function* pieces(...texts: string[]): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  for (const text of texts) yield new TextEncoder().encode(text);
}

Deno.test("crypto.subtle.digest() of bytes is that of WebCrypto", async () => {
  const abc = new TextEncoder().encode("abc");
  assertEquals(hex(await crypto.subtle.digest("SHA-256", abc)), ABC);
  assertEquals(hex(await crypto.subtle.digest("SHA-256", abc.buffer)), ABC);
  assertEquals(hex(await crypto.subtle.digest({ name: "SHA-256" }, new DataView(abc.buffer))), ABC);
});

Deno.test("crypto.subtle.digest() of pieces is that of the whole", async () => {
  assertEquals(hex(await crypto.subtle.digest("SHA-256", pieces("a", "", "bc"))), ABC);
  assertEquals(hex(await crypto.subtle.digest("SHA-256", pieces())), EMPTY);
  assertEquals(hex(await crypto.subtle.digest("SHA-256", [new TextEncoder().encode("abc").buffer])), ABC);
  const view = new TextEncoder().encode("xabcx").subarray(1, 4);
  assertEquals(hex(await crypto.subtle.digest("SHA-256", [view])), ABC);
  for (const name of ["SHA-1", "SHA-384", "SHA-512"] as const) {
    const whole = await globalThis.crypto.subtle.digest(name, new TextEncoder().encode("abc"));
    assertEquals(hex(await crypto.subtle.digest(name, pieces("ab", "c"))), hex(whole));
  }
});

Deno.test("crypto.subtle.digest() refuses an unknown algorithm", async () => {
  await assertRejects(() => crypto.subtle.digest("SHA-7", pieces("a")), DOMException, "SHA-7");
});

Deno.test("crypto passes everything else on to WebCrypto", async () => {
  assertEquals(crypto.randomUUID().length, 36);
  assertEquals(crypto.getRandomValues(new Uint8Array(4)).length, 4);
  const key = await crypto.subtle.generateKey({ name: "HMAC", hash: "SHA-256" }, true, ["sign"]);
  assertEquals((await crypto.subtle.sign("HMAC", key, new Uint8Array(3))).byteLength, 32);
});

Deno.test("timingSafeEqual() compares bytes whatever holds them", () => {
  const a = new Uint8Array([1, 2, 3]);
  assert(timingSafeEqual(a, new Uint8Array([0, 1, 2, 3]).subarray(1)));
  assert(timingSafeEqual(a.buffer, new DataView(new Uint8Array([1, 2, 3]).buffer)));
  assert(!timingSafeEqual(a, new Uint8Array([1, 2, 4])));
  assert(!timingSafeEqual(a, new Uint8Array([1, 2])));
  assert(timingSafeEqual(new Uint8Array(), new ArrayBuffer(0)));
});
