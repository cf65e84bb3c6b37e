/**
 * http1 against Deno.serve and node:http, in one run: small GET requests by wrk, and uploads over one connection.
 *
 *     deno run -A bench/http1.ts
 *
 * Each server runs in a process of its own. Deno.serve's and node:http's uploads are small, for chunked bodies make them
 * slow without bound.
 */
import { createServer } from "node:http";
import { serveHttp1Connection } from "../http1/mod.ts";

const MiB = 1024 * 1024;
const hello = new TextEncoder().encode("hello\n");

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(bytes);
}

const servers: Record<string, () => void> = {
  async http1() {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    console.log((listener.addr as Deno.NetAddr).port);
    for await (const conn of listener) {
      serveHttp1Connection(conn, async (request) => {
        let bytes = 0;
        if (request.method === "POST") { for await (const chunk of request.body) bytes += chunk.length; }
        const body = request.method === "POST" ? new TextEncoder().encode(String(bytes)) : hello;
        return { status: 200, header: new Headers({ "content-type": "text/plain" }), body: once(body) };
      });
    }
  },
  serve() {
    Deno.serve({
      hostname: "127.0.0.1",
      port: 0,
      onListen: ({ port }) => console.log(port),
    }, async (request) => {
      let bytes = 0;
      if (request.body) { for await (const chunk of request.body) bytes += chunk.length; }
      return new Response(request.body ? String(bytes) : hello, { headers: { "content-type": "text/plain" } });
    });
  },
  node() {
    const server = createServer(async (request, response) => {
      let bytes = 0;
      for await (const chunk of request) bytes += chunk.length;
      response.setHeader("content-type", "text/plain");
      response.end(request.method === "POST" ? String(bytes) : hello);
    });
    server.listen(0, "127.0.0.1", () => console.log((server.address() as { port: number }).port));
  },
};

async function start(name: string): Promise<{ port: number; stop(): void }> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", import.meta.filename ?? "", "serve", name],
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  const port = Number(new TextDecoder().decode((await reader.read()).value));
  return { port, stop: () => child.kill("SIGKILL") };
}

async function wrk(port: number, ...args: string[]): Promise<string> {
  const { stdout } = await new Deno.Command("wrk", {
    args: ["-t1", "-d3s", ...args, `http://127.0.0.1:${port}/`],
  }).output();
  return /Requests\/sec:\s+([\d.]+)/.exec(new TextDecoder().decode(stdout))?.[1] ?? "?";
}

/** Requests a second of one connection that sends 64 at a time. */
async function pipelined(port: number): Promise<number> {
  const conn = await Deno.connect({ hostname: "127.0.0.1", port });
  const batch = new TextEncoder().encode("GET / HTTP/1.1\r\nhost: x\r\n\r\n".repeat(64));
  const buffer = new Uint8Array(65_536);
  const began = performance.now();
  let requests = 0;
  while (performance.now() - began < 1500) {
    await conn.write(batch);
    for (let answers = 0; answers < 64;) {
      const count = await conn.read(buffer) ?? 0;
      for (let at = buffer.indexOf(111); at >= 0 && at < count; at = buffer.indexOf(111, at + 1)) {
        if (buffer[at + 1] === 10) answers++;
      }
    }
    requests += 64;
  }
  conn.close();
  return requests / ((performance.now() - began) / 1000);
}

/** MB/s of one upload in chunks of `chunkBytes` (0: with a content-length). */
async function upload(port: number, chunkBytes: number, total: number): Promise<number> {
  const conn = await Deno.connect({ hostname: "127.0.0.1", port });
  const size = chunkBytes || 65_536;
  const line = new TextEncoder().encode(`${size.toString(16)}\r\n`);
  const one = new Uint8Array(chunkBytes ? line.length + size + 2 : size);
  if (chunkBytes) {
    one.set(line);
    one.set([13, 10], line.length + size);
  }
  const per = Math.max(1, Math.floor(131_072 / size));
  const part = new Uint8Array(one.length * per);
  for (let i = 0; i < per; i++) part.set(one, i * one.length);
  const framing = chunkBytes ? "transfer-encoding: chunked" : `content-length: ${total}`;
  const send = async (bytes: Uint8Array) => {
    for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
  };
  const began = performance.now();
  await send(new TextEncoder().encode(`POST / HTTP/1.1\r\nhost: x\r\n${framing}\r\n\r\n`));
  for (let sent = 0; sent < total; sent += per * size) await send(part);
  if (chunkBytes) await send(new TextEncoder().encode("0\r\n\r\n"));
  const buffer = new Uint8Array(4096);
  const count = await conn.read(buffer) ?? 0;
  const answer = new TextDecoder().decode(buffer.subarray(0, count));
  const took = (performance.now() - began) / 1000;
  conn.close();
  if (!answer.includes(String(total))) throw new Error(`the server counted otherwise: ${answer}`);
  return total / 1e6 / took;
}

if (Deno.args[0] === "serve") servers[Deno.args[1]]();
else {
  for (const name of Deno.args.length > 0 ? Deno.args : ["http1", "serve", "node"]) {
    const { port, stop } = await start(name);
    const figures = [
      `GET/s, 1 connection ${await wrk(port, "-c1")}`,
      `32 connections ${await wrk(port, "-c32")}`,
      `pipelined ${(await pipelined(port)).toFixed(0)}`,
    ];
    const total = name === "http1" ? 1024 * MiB : 32 * MiB;
    for (const size of [0, 65_536, 16_384, 1_024]) {
      figures.push(
        `${total / MiB} MiB in ${size || "one length"}: ${(await upload(port, size, total)).toFixed(0)} MB/s`,
      );
    }
    console.log(`${name}:\n  ${figures.join("\n  ")}`);
    stop();
  }
}
