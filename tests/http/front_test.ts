import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { createFront, type Front } from "../../http/front.ts";
import { type Certificate, listen, type Listening, type PortSharing, readCertificate } from "../../http/listen.ts";
import type { HttpHandler } from "../../http1/mod.ts";
import { PREFACE } from "../../http2/mod.ts";
import { FIRST_BYTES_MS } from "../../limits.ts";
import { type Clock, systemClock } from "../../clock.ts";
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
  options: { files?: Certificate; clock?: Clock; maxConnections?: number; sharing?: PortSharing },
  fn: (url: string, front: Front, listening: Listening) => Promise<void>,
): Promise<void> {
  const { files, clock = systemClock, maxConnections, sharing } = options;
  const front = createFront(handler, { clock, maxConnections, onError: (error) => console.error(error) });
  const certificate = files && await readCertificate(files);
  const listening = await listen(front, { hostname: "127.0.0.1", port: 0, certificate, sharing });
  try {
    await fn(listening.url, front, listening);
  } finally {
    await front.shutdown(1000);
    await until(() => front.connections === 0, 1000);
  }
}

Deno.test("front: HTTP/1.1 and HTTP/2 by prior knowledge on one port, with the client's address", async () => {
  await withFront({}, async (url) => {
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
  const files = { cert: `${TLS}/a.pem`, key: `${TLS}/a.key` };
  await withFront({ files }, async (url) => {
    const caCerts = [await Deno.readTextFile(files.cert)];
    for (const http2 of [true, false]) {
      using client = Deno.createHttpClient({ caCerts, http1: !http2, http2 });
      const answer = await (await fetch(url, { client, method: "POST", body: "123" })).json();
      assertEquals([answer.version, answer.bytes], [http2 ? "2.0" : "1.1", 3]);
    }
  });
});

Deno.test("listen(): new certificates are served from reload() on, and no connection is lost", async () => {
  const certificate = (name: string) => readCertificate({ cert: `${TLS}/${name}.pem`, key: `${TLS}/${name}.key` });
  const files = { cert: `${TLS}/a.pem`, key: `${TLS}/a.key` };
  await withFront({ files }, async (url, _front, { reload }) => {
    const trusting = async (name: string) =>
      Deno.createHttpClient({ caCerts: [(await certificate(name)).cert], poolMaxIdlePerHost: 1 });
    using a = await trusting("a");
    using b = await trusting("b");
    const get = async (client: Deno.HttpClient) => (await fetch(url, { client })).json();
    assertEquals((await get(a)).bytes, 0);
    const next = await certificate("b");
    // Several at once do not get in each other's way.
    await Promise.all([reload(next), reload(next), reload(next)]);
    assertEquals((await get(b)).bytes, 0);
    // Its connection was made with the old one, and lives.
    assertEquals((await get(a)).bytes, 0);
    // What cannot be used changes nothing: no certificate, and one that the key is not for.
    const { key } = await certificate("a");
    await assertRejects(() => reload({ ...next, cert: "no certificate" }));
    await assertRejects(() => reload({ ...next, key }));
    using again = await trusting("b");
    assertEquals((await get(again)).bytes, 0);
  });
});

Deno.test("front: a connection that does not say what it speaks is closed after FIRST_BYTES_MS", async () => {
  const clock = new FakeClock();
  await withFront({ clock }, async (url, front) => {
    using silent = await Deno.connect({ hostname: "127.0.0.1", port: Number(new URL(url).port) });
    using half = await Deno.connect({ hostname: "127.0.0.1", port: Number(new URL(url).port) });
    await half.write(new TextEncoder().encode("PR"));
    await until(() => front.connections === 2, 5000);
    clock.advance(FIRST_BYTES_MS);
    await until(() => front.connections === 0, 5000);
    assertEquals(await silent.read(new Uint8Array(1)).catch(() => null), null);
  });
});

Deno.test("front: bytes that are no HTTP are refused", async () => {
  await withFront({}, async (url) => {
    using conn = await Deno.connect({ hostname: "127.0.0.1", port: Number(new URL(url).port) });
    await conn.write(new TextEncoder().encode("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello\r\n\r\n"));
    const buffer = new Uint8Array(1000);
    const n = await conn.read(buffer);
    assertMatch(new TextDecoder().decode(buffer.subarray(0, n ?? 0)), /^HTTP\/1\.1 400 /);
  });
});

Deno.test("front: connections beyond the limit are closed", async () => {
  await withFront({ maxConnections: 2 }, async (url, front) => {
    const port = Number(new URL(url).port);
    using _first = await Deno.connect({ port });
    using _second = await Deno.connect({ port });
    await until(() => front.connections === 2, 5000);
    using third = await Deno.connect({ port });
    assertEquals(await third.read(new Uint8Array(1)).catch(() => null), null);
    assertEquals(front.connections, 2);
  });
});

for (const files of [undefined, { cert: `${TLS}/a.pem`, key: `${TLS}/a.key` }]) {
  const scheme = files ? "https" : "http";
  Deno.test(`listen(): a port that is taken is refused, shared or not (${scheme})`, async () => {
    for (const has of ["alone", "first"] as const) {
      await withFront({ files, sharing: has }, async (url, front) => {
        const address = { hostname: "127.0.0.1", port: Number(new URL(url).port) };
        const certificate = files && await readCertificate(files);
        for (const sharing of ["alone", "first"] as const) {
          await assertRejects(() => listen(front, { ...address, certificate, sharing }), Deno.errors.AddrInUse);
        }
      });
    }
  });

  Deno.test(`listen(): those who join a port get their part of the connections (${scheme})`, async () => {
    await withFront({ files, sharing: "first" }, async (_url, first, { port }) => {
      const certificate = files && await readCertificate(files);
      const second = createFront(handler, { clock: systemClock, onError: console.error });
      await listen(second, { hostname: "127.0.0.1", port, certificate, sharing: "joining" });
      const conns = await Promise.all(
        Array.from({ length: 32 }, () => Deno.connect({ hostname: "127.0.0.1", port })),
      );
      await until(() => first.connections + second.connections === 32, 5000);
      assert(first.connections > 0 && second.connections > 0);
      for (const conn of conns) conn.close();
      await second.shutdown(1000);
    });
  });
}
