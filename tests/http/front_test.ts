import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { createFront, type Front } from "../../http/front.ts";
import { listen } from "../../http/listen.ts";
import type { HttpHandler } from "../../http1/mod.ts";
import { PREFACE } from "../../http2/mod.ts";
import { FIRST_BYTES_MS } from "../../limits.ts";
import { systemClock } from "../../clock.ts";
import { ROOT } from "../support/server.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { until } from "../support/until.ts";

const TLS = `${ROOT}tests/support/tls`;

/** Answers with what the request came by. */
const handler: HttpHandler = async (request) => {
  let bytes = 0;
  for await (const chunk of request.body) bytes += chunk.length;
  const { hostname } = request.remoteAddr as Deno.NetAddr;
  const text = JSON.stringify({ version: request.httpVersion, url: request.url, hostname, bytes });
  return {
    status: 200,
    header: new Headers({ "content-type": "application/json" }),
    body: (async function* () {
      yield new TextEncoder().encode(text);
    })(),
  };
};

async function withFront(
  tls: { cert: string; key: string } | undefined,
  fn: (url: string, front: Front, reload: (() => Promise<void>) | undefined) => Promise<void>,
  clock = systemClock,
): Promise<void> {
  const front = createFront(handler, { clock, onError: (error) => console.error(error) });
  const { url, reload } = await listen(front, { hostname: "127.0.0.1", port: 0, tls });
  try {
    await fn(url, front, reload);
  } finally {
    await front.shutdown(1000);
    assertEquals(front.connections, 0);
  }
}

Deno.test("front: HTTP/1.1 and HTTP/2 by prior knowledge on one port, with the client's address", async () => {
  await withFront(undefined, async (url) => {
    const one = await (await fetch(`${url}/a?b`, { method: "POST", body: "12345" })).json();
    assertEquals(one, { version: "1.1", url: `${url}/a?b`, hostname: "127.0.0.1", bytes: 5 });
    // The preface and an empty SETTINGS, byte by byte: the server's own SETTINGS come back.
    using conn = await Deno.connect({ hostname: "127.0.0.1", port: Number(new URL(url).port) });
    for (const byte of [...PREFACE, 0, 0, 0, 4, 0, 0, 0, 0, 0]) await conn.write(Uint8Array.of(byte));
    const answer = new Uint8Array(9);
    await conn.read(answer);
    assertEquals(answer[3], 4);
  });
});

Deno.test("front: under TLS, ALPN decides", async () => {
  const tls = { cert: `${TLS}/a.pem`, key: `${TLS}/a.key` };
  await withFront(tls, async (url) => {
    const caCerts = [await Deno.readTextFile(tls.cert)];
    for (const http2 of [true, false]) {
      using client = Deno.createHttpClient({ caCerts, http1: !http2, http2 });
      const answer = await (await fetch(url, { client, method: "POST", body: "123" })).json();
      assertEquals([answer.version, answer.bytes], [http2 ? "2.0" : "1.1", 3]);
    }
  });
});

Deno.test("listen(): new certificates are served from reload() on, and no connection is lost", async () => {
  const dir = await Deno.makeTempDir();
  const tls = { cert: `${dir}/cert.pem`, key: `${dir}/key.pem` };
  const install = async (name: string) => {
    await Deno.copyFile(`${TLS}/${name}.pem`, tls.cert);
    await Deno.copyFile(`${TLS}/${name}.key`, tls.key);
  };
  try {
    await install("a");
    await withFront(tls, async (url, _front, reload) => {
      const trusting = async (name: string) =>
        Deno.createHttpClient({ caCerts: [await Deno.readTextFile(`${TLS}/${name}.pem`)], poolMaxIdlePerHost: 1 });
      using a = await trusting("a");
      using b = await trusting("b");
      const get = async (client: Deno.HttpClient) => (await fetch(url, { client })).json();
      assertEquals((await get(a)).bytes, 0);
      await install("b");
      assert(reload);
      // Several at once do not get in each other's way.
      await Promise.all([reload(), reload(), reload()]);
      assertEquals((await get(b)).bytes, 0);
      // Its connection was made with the old one, and lives.
      assertEquals((await get(a)).bytes, 0);
      // What cannot be used changes nothing.
      await Deno.writeTextFile(tls.cert, "no certificate");
      await reload().then(() => assert(false, "it took a bad certificate"), () => {});
      using again = await trusting("b");
      assertEquals((await get(again)).bytes, 0);
    });
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("front: a connection that does not say what it speaks is closed after FIRST_BYTES_MS", async () => {
  const clock = new FakeClock();
  await withFront(undefined, async (url, front) => {
    using silent = await Deno.connect({ hostname: "127.0.0.1", port: Number(new URL(url).port) });
    using half = await Deno.connect({ hostname: "127.0.0.1", port: Number(new URL(url).port) });
    await half.write(new TextEncoder().encode("PR"));
    await until(() => front.connections === 2, 5000);
    clock.advance(FIRST_BYTES_MS);
    await until(() => front.connections === 0, 5000);
    assertEquals(await silent.read(new Uint8Array(1)).catch(() => null), null);
  }, clock);
});

Deno.test("front: bytes that are no HTTP are refused", async () => {
  await withFront(undefined, async (url) => {
    using conn = await Deno.connect({ hostname: "127.0.0.1", port: Number(new URL(url).port) });
    await conn.write(new TextEncoder().encode("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello\r\n\r\n"));
    const buffer = new Uint8Array(1000);
    const n = await conn.read(buffer);
    assertMatch(new TextDecoder().decode(buffer.subarray(0, n ?? 0)), /^HTTP\/1\.1 400 /);
  });
});

Deno.test("listen(): a port that is taken is refused, under TLS too", async () => {
  const tls = { cert: `${TLS}/a.pem`, key: `${TLS}/a.key` };
  await withFront(tls, async (url, front) => {
    const port = Number(new URL(url).port);
    await assertRejects(() => listen(front, { hostname: "127.0.0.1", port, tls }), Deno.errors.AddrInUse);
  });
});
