/** A server that sees the chunks of a body as they come over TCP, or does not look at them at all. */

/** What one request's body was. */
export interface SeenBody {
  /** Chunks of the chunked transfer encoding, but for the empty one at its end. */
  chunks: number;
  bytes: number;
}

export interface TcpServer extends AsyncDisposable {
  url: string;
  /** The first request, when its body has ended. */
  request: Promise<SeenBody>;
}

/** Serves one connection: reads a chunked body to its end and sends the answer, or with `read: false` never reads. */
export function serveTcp(options: { read?: boolean; answer?: Uint8Array[] }): TcpServer {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { promise: request, resolve } = Promise.withResolvers<SeenBody>();
  let connection: Deno.TcpConn | undefined;
  const served = (async () => {
    connection = await listener.accept();
    if (options.read === false) return;
    resolve(await readChunked(connection));
    const head = "HTTP/1.1 200 OK\r\ncontent-type: application/connect+proto\r\nconnection: close\r\n\r\n";
    const writer = connection.writable.getWriter();
    await writer.write(new TextEncoder().encode(head));
    for (const part of options.answer ?? []) await writer.write(new Uint8Array(part));
    await connection.closeWrite();
  })();
  return {
    url: `http://127.0.0.1:${listener.addr.port}`,
    request,
    async [Symbol.asyncDispose]() {
      listener.close();
      await served.catch(() => {});
      connection?.close();
    },
  };
}

async function readChunked(connection: Deno.TcpConn): Promise<SeenBody> {
  const seen = { chunks: 0, bytes: 0 };
  // Latin-1, so that a character is a byte.
  let text = "";
  let at = 0;
  const buffer = new Uint8Array(256 * 1024);
  const more = async () => {
    const n = await connection.read(buffer);
    if (n === null) throw new Error("the body was cut");
    text = text.slice(at) + new TextDecoder("latin1").decode(buffer.subarray(0, n));
    at = 0;
  };
  const line = async (end: string) => {
    while (text.indexOf(end, at) < 0) await more();
    const found = text.indexOf(end, at);
    const value = text.slice(at, found);
    at = found + end.length;
    return value;
  };
  await line("\r\n\r\n");
  while (true) {
    const length = parseInt(await line("\r\n"), 16);
    if (length === 0) return seen;
    seen.chunks++;
    seen.bytes += length;
    while (text.length - at < length + 2) await more();
    at += length + 2;
  }
}
