/**
 * An HTTP server whose every byte a test decides on: it may lie about lengths, cut answers, and not answer at all.
 *
 * @module
 */
import { concat, utf8 } from "../../http2/basics.ts";

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Headers;
  readonly body: Uint8Array;
}

/** Text or bytes that are written as they are, and then the connection is closed; undefined: it stays silent. */
export type Script = (request: SeenRequest, number: number) => string | Uint8Array | undefined;

export interface ScriptedServer extends AsyncDisposable {
  readonly url: string;
  readonly requests: readonly SeenRequest[];
}

export function serveScript(script: Script): ScriptedServer {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const requests: SeenRequest[] = [];
  const open = new Set<Deno.Conn>();

  async function serve(connection: Deno.Conn): Promise<void> {
    const request = await readRequest(connection);
    requests.push(request);
    const answer = script(request, requests.length);
    if (answer === undefined) return;
    const bytes = typeof answer === "string" ? utf8(answer) : answer;
    for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
    close(connection);
  }

  function close(connection: Deno.Conn): void {
    if (open.delete(connection)) connection.close();
  }

  const accepting = (async () => {
    for await (const connection of listener) {
      open.add(connection);
      serve(connection).catch(() => close(connection));
    }
  })();
  return {
    url: `http://127.0.0.1:${(listener.addr as Deno.NetAddr).port}`,
    requests,
    async [Symbol.asyncDispose]() {
      listener.close();
      await accepting;
      for (const connection of open) close(connection);
    },
  };
}

/** A whole answer; `length` is what it says of itself. */
export function answer(
  status: number,
  body: string | Uint8Array = "",
  headers: Readonly<Record<string, string | number>> = {},
): Uint8Array {
  const bytes = typeof body === "string" ? utf8(body) : body;
  const lines = Object.entries({ "content-length": bytes.length, connection: "close", ...headers });
  const head = `HTTP/1.1 ${status} Scripted\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`;
  return concat([utf8(head), bytes]);
}

async function readRequest(connection: Deno.Conn): Promise<SeenRequest> {
  let got: Uint8Array = new Uint8Array(0);
  const buffer = new Uint8Array(64 * 1024);
  const more = async () => {
    const n = await connection.read(buffer);
    if (n === null) throw new Error("the request was cut");
    got = concat([got, buffer.subarray(0, n)]);
  };
  let end: number;
  while ((end = new TextDecoder("latin1").decode(got).indexOf("\r\n\r\n")) < 0) await more();
  const [first, ...lines] = new TextDecoder().decode(got.subarray(0, end)).split("\r\n");
  const [method, target] = first.split(" ");
  const headers = new Headers(lines.map((line): [string, string] => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon), line.slice(colon + 1).trim()];
  }));
  const length = Number(headers.get("content-length") ?? 0);
  while (got.length < end + 4 + length) await more();
  const url = new URL(target, "http://host");
  return { method, path: url.pathname, query: url.searchParams, headers, body: got.slice(end + 4, end + 4 + length) };
}
