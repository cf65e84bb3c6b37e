/** Real clients over real sockets: Deno's fetch, curl, and node's http with an agent. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Agent, request as nodeRequest } from "node:http";
import { type Http1Connection, type Http1Handler, serveHttp1Connection } from "../../http1/mod.ts";
import { bytesOf, chunks, text, textOf } from "./fake.ts";

const MiB = 1024 * 1024;

/** Counts what comes, or answers early; GET streams as many bytes as the query says. */
const handler: Http1Handler = async (request) => {
  const url = new URL(request.url);
  if (url.pathname === "/early") return text("too much", 413);
  if (url.pathname === "/bytes") {
    const count = Number(url.search.slice(1));
    return {
      status: 200,
      body: async function* () {
        for (let sent = 0; sent < count; sent += 65_536) yield new Uint8Array(Math.min(65_536, count - sent));
        await Promise.resolve();
      }(),
    };
  }
  let bytes = 0;
  for await (const chunk of request.body) bytes += chunk.length;
  return text(`${request.method} ${bytes}`);
};

async function withServer(run: (port: number, connections: Http1Connection[]) => Promise<void>): Promise<void> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const connections: Http1Connection[] = [];
  const errors: unknown[] = [];
  const accepting = (async () => {
    for await (const conn of listener) {
      connections.push(serveHttp1Connection(conn, handler, { onError: (error) => errors.push(error) }));
    }
  })();
  try {
    await run((listener.addr as Deno.NetAddr).port, connections);
  } finally {
    listener.close();
    await accepting;
    for (const connection of connections) connection.shutdown();
    await Promise.all(connections.map((connection) => connection.finished));
  }
  assertEquals(errors, []);
  for (const { stats } of connections) assertEquals([stats.handlers, stats.bufferedBytes], [0, 0]);
}

async function curl(args: string[], input?: Uint8Array): Promise<string> {
  const child = new Deno.Command("curl", {
    args: ["-sS", "--http1.1", "--max-time", "10", ...args],
    stdin: input ? "piped" : "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  if (input) {
    const writer = child.stdin.getWriter();
    // curl may stop reading when it has its answer.
    await writer.write(input).then(() => writer.close()).catch(() => {});
  }
  const { stdout, stderr } = await child.output();
  return textOf(stdout) + textOf(stderr);
}

function streamOf(parts: number, size: number): ReadableStream<Uint8Array<ArrayBuffer>> {
  let left = parts;
  return new ReadableStream({
    pull(controller) {
      if (left-- > 0) controller.enqueue(new Uint8Array(size));
      else controller.close();
    },
  });
}

Deno.test("Deno's fetch sends a streamed body, and reads a streamed answer", async () => {
  await withServer(async (port) => {
    using client = Deno.createHttpClient({});
    const url = `http://127.0.0.1:${port}`;
    const sent = await fetch(url, { method: "POST", body: streamOf(512, 65_536), client });
    assertEquals(await sent.text(), `POST ${32 * MiB}`);
    const small = await fetch(url, { method: "POST", body: streamOf(2_000, 100), client });
    assertEquals(await small.text(), "POST 200000");
    const got = await fetch(`${url}/bytes?${8 * MiB}`, { client });
    assertEquals((await got.arrayBuffer()).byteLength, 8 * MiB);
  });
});

Deno.test("Deno's fetch gets an early answer while it uploads", async () => {
  await withServer(async (port) => {
    using client = Deno.createHttpClient({});
    const early = await fetch(`http://127.0.0.1:${port}/early`, { method: "POST", body: streamOf(32, 65_536), client });
    assertEquals([early.status, await early.text()], [413, "too much"]);
  });
});

Deno.test("a client that reads only after it wrote everything gets its early answer", async () => {
  await withServer(async (port) => {
    using conn = await Deno.connect({ hostname: "127.0.0.1", port });
    await conn.write(bytesOf(`POST /early HTTP/1.1\r\nhost: x\r\ncontent-length: ${3 * MiB}\r\n\r\n`));
    const part = new Uint8Array(65_536);
    for (let sent = 0; sent < 3 * MiB;) {
      sent += await conn.write(part.subarray(0, Math.min(part.length, 3 * MiB - sent)));
    }
    const buffer = new Uint8Array(1024);
    const count = await conn.read(buffer) ?? 0;
    assertMatch(textOf(buffer.subarray(0, count)), /^HTTP\/1.1 413 /);
  });
});

Deno.test("curl uploads from its input, expects, asks for heads, and keeps its connection", async () => {
  await withServer(async (port, connections) => {
    const url = `http://127.0.0.1:${port}`;
    assertEquals(await curl(["-T", "-", `${url}/x`], new Uint8Array(3 * MiB)), `PUT ${3 * MiB}`);
    const expecting = await curl(["-v", "-H", "Expect: 100-continue", "-d", "abc", url]);
    assertStringIncludes(expecting, "100 Continue");
    assertStringIncludes(expecting, "POST 3");
    assertMatch(await curl(["-I", url]), /^HTTP\/1.1 200 OK\r\ndate: [^]*\r\n\r\n$/);
    assertEquals(await curl(["--http1.0", url]), "GET 0");
    const before = connections.length;
    assertEquals(await curl([url, url, url]), "GET 0GET 0GET 0");
    assertEquals(connections.length, before + 1);
    assertStringIncludes(await curl(["-T", "-", `${url}/early`], new Uint8Array(2 * MiB)), "too much");
  });
});

Deno.test("node's client keeps its connection with an agent", async () => {
  await withServer(async (port, connections) => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const ask = (body: Uint8Array) =>
      new Promise<string>((resolve, reject) => {
        const sent = nodeRequest({ port, host: "127.0.0.1", agent, method: "POST", path: "/" }, (response) => {
          let answer = "";
          response.on("data", (chunk) => answer += chunk);
          response.on("end", () => resolve(answer));
        });
        sent.on("error", reject);
        sent.write(body);
        sent.end(body);
      });
    for (let i = 0; i < 5; i++) assertEquals(await ask(new Uint8Array(1_000)), "POST 2000");
    agent.destroy();
    assertEquals(connections.length, 1);
    await connections[0].finished;
  });
});

Deno.test("the signal aborts when a real client hangs up while the handler runs", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  const conn = await Deno.connect({ hostname: "127.0.0.1", port });
  let aborted = false;
  const connection = serveHttp1Connection(await listener.accept(), async (request) => {
    conn.close();
    await new Promise((resolve) => request.signal.addEventListener("abort", resolve));
    aborted = true;
    return { status: 200, body: chunks("nobody reads this") };
  });
  await conn.write(bytesOf("GET / HTTP/1.1\r\nhost: x\r\n\r\n"));
  await connection.finished;
  listener.close();
  assert(aborted);
});
