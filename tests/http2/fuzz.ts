/** Frames at random, well formed and broken, against a server in memory. */
import { assertEquals } from "@std/assert";
import { Flag, FrameType, PREFACE } from "../../http2/frames/constants.ts";
import { HpackEncoder } from "../../http2/hpack/encoder.ts";
import { createMemoryBudget, type Http2Handler } from "../../http2/mod.ts";
import { Bench, bytesOf, concat, frameBytes, seededRandom, settled, textBody, word } from "./support.ts";

const SMALL = new Uint8Array(300).map((_, i) => i);

/** Does what the path says: reads all, some or nothing, answers early or late, or fails. */
const handler: Http2Handler = async (request) => {
  const trailer = new Headers({ "grpc-status": "0" });
  switch (request.url.at(-1)) {
    case "0":
      return { status: 200, body: textBody("x".repeat(70_000)), trailer };
    case "1":
      for await (const _ of request.body) break;
      return { status: 200, trailer };
    case "2":
      throw new Error("a fault of the handler");
    case "3":
      // Both ways at once.
      return { status: 200, body: request.body, trailer };
    default:
      await bytesOf(request.body);
      return { status: 204 };
  }
};

/** The bytes of one client: a script that is mostly right, and then changed in places. */
export function fuzzBytes(seed: number): { bytes: Uint8Array; cut: () => number } {
  const random = seededRandom(seed);
  const below = (n: number) => Math.floor(random() * n);
  const encoder = new HpackEncoder(4096, 4096);
  const block = (trailers: boolean): Uint8Array => {
    encoder.begin();
    if (!trailers) {
      encoder.field(":method", random() < 0.8 ? "POST" : "HEAD");
      encoder.field(":scheme", "http");
      encoder.field(":path", `/${below(6)}`);
      encoder.field(":authority", "t");
    }
    for (let i = below(4); i > 0; i--) encoder.field(`x-${below(5)}`, "v".repeat(below(60)));
    if (random() < 0.1) encoder.field("content-length", String(below(400)));
    return encoder.buffer.slice(0, encoder.length);
  };
  const parts: Uint8Array[] = [PREFACE, frameBytes(FrameType.SETTINGS, 0, 0)];
  let lastId = -1;
  // Most scripts keep to the rules, so that they get far; the others break them.
  const sloppy = random() < 0.3;
  const someId = () => !sloppy || random() < 0.8 ? Math.max(1, lastId - 2 * below(3)) : below(9);
  for (let i = 1 + below(12); i > 0; i--) {
    const endStream = random() < 0.4 ? Flag.END_STREAM : 0;
    const flags = sloppy && random() < 0.1 ? below(256) : endStream;
    switch (lastId < 0 && !sloppy ? 0 : below(sloppy ? 9 : 8)) {
      case 0:
      case 1:
      case 2:
        lastId += 2;
        if (random() < 0.8) {
          parts.push(frameBytes(FrameType.HEADERS, flags | Flag.END_HEADERS, lastId, block(false)));
        } else {
          const whole = block(false);
          const cut = below(whole.length);
          parts.push(frameBytes(FrameType.HEADERS, flags & ~Flag.END_HEADERS, lastId, whole.subarray(0, cut)));
          parts.push(frameBytes(FrameType.CONTINUATION, Flag.END_HEADERS, lastId, whole.subarray(cut)));
        }
        break;
      case 3:
      case 4:
        parts.push(frameBytes(FrameType.DATA, flags, someId(), SMALL.subarray(0, below(300))));
        break;
      case 5:
        parts.push(frameBytes(FrameType.WINDOW_UPDATE, 0, random() < 0.5 ? 0 : someId(), word(1 + below(100_000))));
        break;
      case 6:
        parts.push(frameBytes(FrameType.RST_STREAM, 0, someId(), word(below(14))));
        break;
      case 7:
        parts.push(frameBytes(FrameType.HEADERS, Flag.END_HEADERS | Flag.END_STREAM | flags, someId(), block(true)));
        break;
      case 8: {
        const payload = new Uint8Array(below(24)).map(() => below(256));
        parts.push(frameBytes(below(12), below(256), random() < 0.5 ? 0 : someId(), payload));
      }
    }
  }
  const bytes = concat(parts);
  if (random() < 0.4) {
    for (let i = below(4); i > 0; i--) bytes[PREFACE.length + below(bytes.length - PREFACE.length)] = below(256);
  }
  return { bytes: random() < 0.1 ? bytes.subarray(0, below(bytes.length)) : bytes, cut: () => 1 + below(400) };
}

/** How many connections share a server before its counters must be zero. */
const BATCH = 50;

/**
 * Runs `runs` connections from `seed` on. After each batch nothing may be left, of requests, handlers, buffers or
 * timers. A failure names the seeds of its batch.
 */
export async function fuzz(seed: number, runs: number): Promise<void> {
  for (let first = seed; first < seed + runs; first += BATCH) {
    try {
      await batch(first, Math.min(BATCH, seed + runs - first));
    } catch (cause) {
      throw new Error(`fuzz fails at seeds ${first} to ${first + BATCH - 1}`, { cause });
    }
  }
}

async function batch(first: number, count: number): Promise<void> {
  const budget = createMemoryBudget(1 << 20);
  const unexpected: unknown[] = [];
  await using bench = new Bench(handler, {
    budget,
    limits: { maxOutputBytes: 16_384 },
    onError: (error) => {
      if ((error as Error).message !== "a fault of the handler") unexpected.push(error);
    },
    onConnection: (event) => {
      // Whatever a client sends is its fault: an error of another kind is one of the server.
      if (event.type !== "close" || !event.error) return;
      if (event.error.name !== "Http2ConnectionError" && event.error.name !== "BrokenPipe") {
        unexpected.push(event.error);
      }
    },
  });
  for (let i = 0; i < count; i++) {
    const { client, down } = bench.connect();
    const { bytes, cut } = fuzzBytes(first + i);
    down.blocked = (first + i) % 10 === 0;
    for (let at = 0; at < bytes.length;) {
      const end = at + cut();
      await client.raw(bytes.subarray(at, end)).catch(() => {});
      at = end;
    }
    if ((first + i) % 7 === 0) client.close();
  }
  await settled();
  await bench.clock.advance(1_000);
  bench.closeClients();
  await settled();
  assertEquals(budget.used, 0, "memory budget");
  assertEquals(bench.server.stats.handlers, 0, "handlers");
  assertEquals(unexpected, []);
}
