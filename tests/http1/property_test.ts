/** However the input is split, the result is the same; whatever the input is, the connection ends. */
import { assert, assertEquals } from "@std/assert";
import { bytesOf, echo, open, script, settled, textOf } from "./fake.ts";

/** Numbers from 0 to 1 that are the same for the same seed (mulberry32). */
function random(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), seed | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const CHUNKED = "POST /c HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n" +
  `4;a="b"\r\nwxyz\r\n00a\r\n0123456789\r\n40\r\n${"x".repeat(64)}\r\n0\r\nt: u\r\n\r\n`;
const REQUESTS = [
  "\r\nGET /a HTTP/1.1\r\nHost: x\r\nAccept:  */* \t\r\n\r\n",
  "POST /b HTTP/1.1\r\nhost: x\r\ncontent-length: 11\r\n\r\nhello\r\n\r\nxy",
  CHUNKED,
  "HEAD /d HTTP/1.1\r\nhost: x\r\nte: trailers\r\n\r\n",
  "PUT http://y/e HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\nabc",
  "OPTIONS * HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
];

/** Bodies are echoed in one piece, so that the answer does not depend on how they arrived. */
async function answers(parts: Uint8Array[]): Promise<string> {
  const { send, end, received, connection, errors, clock } = open(echo, { limits: { maxHeadBytes: 2_048 } });
  for (const part of parts) {
    await send(part);
    if (parts.length < 40) await settled(1);
  }
  end();
  const text = await received();
  await connection.finished;
  assertEquals([errors.length, clock.timers, connection.stats.handlers, connection.stats.bufferedBytes], [0, 0, 0, 0]);
  return text;
}

function split(bytes: Uint8Array, next: () => number, most: number): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    const count = 1 + Math.floor(next() * most);
    parts.push(bytes.subarray(at, at + count));
    at += count;
  }
  return parts;
}

Deno.test("any split of the input into reads gives the same result", async () => {
  const bytes = bytesOf(REQUESTS.join(""));
  const whole = await answers([bytes]);
  assertEquals(whole.split("HTTP/1.1 200").length, REQUESTS.length + 1);
  for (let seed = 0; seed < 60; seed++) {
    const next = random(seed);
    assertEquals(await answers(split(bytes, next, 1 + Math.floor(next() * 80))), whole, `seed ${seed}`);
  }
  for (let at = 1; at < bytes.length; at += 3) {
    assertEquals(await answers([bytes.subarray(0, at), bytes.subarray(at)]), whole, `split at ${at}`);
  }
});

Deno.test("mutated requests never crash, hang or leak, and their answer does not depend on the split", async () => {
  for (let seed = 0; seed < 1_500; seed++) {
    const next = random(seed);
    let bytes = Array.from(bytesOf(REQUESTS[Math.floor(next() * REQUESTS.length)] + REQUESTS[0]));
    for (let count = 1 + Math.floor(next() * 3); count > 0; count--) {
      const at = Math.floor(next() * bytes.length);
      const kind = next();
      if (kind < 0.35) bytes[at] = Math.floor(next() * 256);
      else if (kind < 0.55) bytes.splice(at, 1 + Math.floor(next() * 8));
      else if (kind < 0.75) bytes.splice(at, 0, ...bytesOf(["\r", "\n", " ", "\t", "\0", ":", "0", ";", ","][at % 9]));
      else if (kind < 0.9) bytes.splice(at, 0, ...bytes.slice(at, at + Math.floor(next() * 60)));
      else bytes = bytes.slice(0, at);
    }
    const input = Uint8Array.from(bytes);
    const whole = await answers([input]);
    const parted = await answers(split(input, next, 40));
    assertEquals(parted, whole, `seed ${seed}: ${JSON.stringify(textOf(input))}`);
  }
});

Deno.test("random bytes are answered or ignored, and the connection ends", async () => {
  const next = random(7);
  for (let i = 0; i < 200; i++) {
    const bytes = Uint8Array.from({ length: 100 }, () => Math.floor(next() * 256));
    const text = await answers([bytes]);
    assert(text === "" || text.startsWith("HTTP/1.1 4"), text);
  }
});

Deno.test("a chunked body of any sizes is the same in any split", async () => {
  for (let seed = 0; seed < 30; seed++) {
    const next = random(seed);
    let expected = "";
    let body = "";
    for (let i = 0; i < 30; i++) {
      const data = String.fromCharCode(97 + i % 26).repeat(1 + Math.floor(next() * (i % 5 === 0 ? 5_000 : 60)));
      expected += data;
      body += `${data.length.toString(16)}\r\n${data}\r\n`;
    }
    const input = bytesOf(`POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n${body}0\r\n\r\n`);
    const text = await script(split(input, next, 9_000).map(textOf));
    assert(text.endsWith(`[${expected}]`), `seed ${seed}`);
  }
});
