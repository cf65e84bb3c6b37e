/** What the attacks on http2/ share. */
import { assertEquals } from "@std/assert";
import { Flag, FrameType, PREFACE } from "../../http2/frames/constants.ts";
import { HpackEncoder } from "../../http2/hpack/encoder.ts";
import { Bench, concat, echo, frameBytes, MockClient, settled, socketTransport } from "../http2/support.ts";
import type { Http2Handler, Http2Limits, ServerStats } from "../../http2/mod.ts";

/**
 * Runs `attack` on one connection while another stands by. Afterwards the bystander is served as before, and nothing of
 * the attacker is left: no connection, no request, no handler, no buffered byte.
 */
export async function underAttack(
  attack: (client: MockClient, bench: Bench) => Promise<void>,
  { handler = echo, limits }: { handler?: Http2Handler; limits?: Partial<Http2Limits> } = {},
): Promise<void> {
  const serve: Http2Handler = (request) => request.url.endsWith("/bystander") ? echo(request) : handler(request);
  await using bench = new Bench(serve, { ...(limits && { limits }) });
  const bystander = await bench.open();
  await bystander.request(1, [[":path", "/bystander"]]);
  await settled();
  const before = bench.server.stats;
  const client = await bench.open();
  await attack(client, bench);
  client.close();
  await settled(20);
  const { connections, streams, handlers, bufferedBytes } = bench.server.stats;
  assertEquals(
    [connections, streams, handlers, bufferedBytes],
    [before.connections, before.streams, before.handlers, before.bufferedBytes],
  );
  await bystander.data(1, "still here", true);
  assertEquals((await bystander.response(1)).body, "still here");
}

/** Waits until `condition` holds; fails after ten seconds. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + 10_000;
  while (!await condition()) {
    if (Date.now() > end) throw new Error("Cannot wait longer for the condition");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const opening = concat([PREFACE, frameBytes(FrameType.SETTINGS, 0, 0), frameBytes(FrameType.SETTINGS, Flag.ACK, 0)]);

/** Opens connections that speak HTTP/2 and ask for nothing. */
export async function openIdle(port: number, count: number): Promise<Deno.Conn[]> {
  const conns: Deno.Conn[] = [];
  const buffer = new Uint8Array(1_024);
  while (conns.length < count) {
    const batch = Math.min(100, count - conns.length);
    conns.push(
      ...await Promise.all(Array.from({ length: batch }, async () => {
        const conn = await Deno.connect({ hostname: "127.0.0.1", port });
        await conn.write(opening);
        await conn.read(buffer);
        return conn;
      })),
    );
  }
  return conns;
}

/** Connects, begins an upload and hangs up in the middle of a frame, `count` times, some at a time. */
export async function hangUpWhileUploading(port: number, count: number): Promise<void> {
  const encoder = new HpackEncoder(4096, 4096);
  encoder.begin();
  for (const [name, value] of [[":method", "POST"], [":scheme", "http"], [":path", "/"], [":authority", "x"]]) {
    encoder.field(name, value);
  }
  const block = encoder.buffer.slice(0, encoder.length);
  const upload = concat([
    opening,
    frameBytes(FrameType.HEADERS, Flag.END_HEADERS, 1, block),
    frameBytes(FrameType.DATA, 0, 1, new Uint8Array(10_000)),
    frameBytes(FrameType.DATA, 0, 1, new Uint8Array(10_000)).subarray(0, 5_000),
  ]);
  let left = count;
  const worker = async () => {
    while (left-- > 0) {
      const conn = await Deno.connect({ hostname: "127.0.0.1", port });
      for (let at = 0; at < upload.length;) at += await conn.write(upload.subarray(at));
      conn.close();
    }
  };
  await Promise.all(Array.from({ length: 20 }, worker));
}

/** What http2_server.ts answers. */
export interface RemoteStats extends ServerStats {
  /** Bytes. */
  readonly rss: number;
  readonly heapUsed: number;
}

/** Starts http2_server.ts, and a client of it that can ask for its counters at any time. */
export async function startServer() {
  const process = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--v8-flags=--expose-gc", new URL("./http2_server.ts", import.meta.url).pathname],
    stdout: "piped",
  }).spawn();
  const reader = process.stdout.getReader();
  const port = Number(new TextDecoder().decode((await reader.read()).value));
  reader.releaseLock();
  const client = await new MockClient(socketTransport(await Deno.connect({ hostname: "127.0.0.1", port }))).open();
  let id = -1;
  return {
    port,
    async stats(): Promise<RemoteStats> {
      id += 2;
      await client.request(id, [[":path", "/stats"]], true);
      return JSON.parse((await client.response(id)).body);
    },
    async [Symbol.asyncDispose](): Promise<void> {
      client.close();
      process.kill();
      await process.status;
      await process.stdout.cancel();
    },
  };
}
