/** A clock that tests move, a connection in memory, and a client that speaks bytes. */
import { type Http1Handler, type Http1Options, type Http1Socket, serveHttp1Connection } from "../../http1/mod.ts";
import { settled } from "../http2/basics.ts";
import { FakeClock } from "../http2/fake.ts";

export { settled };

const encoder = new TextEncoder();

/** One direction of a connection in memory. */
class Pipe {
  #parts: Uint8Array[] = [];
  #ended = false;
  #wake: (() => void)[] = [];
  /** While true, writers wait, as if the reader did not read. */
  blocked = false;

  async write(bytes: Uint8Array): Promise<number> {
    while (this.blocked && !this.#ended) await new Promise<void>((resolve) => this.#wake.push(resolve));
    if (this.#ended) throw new Deno.errors.BrokenPipe("the pipe is closed");
    this.#parts.push(bytes.slice());
    this.#wakeAll();
    return bytes.length;
  }

  end(): void {
    this.#ended = true;
    this.#wakeAll();
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    while (this.#parts.length === 0) {
      if (this.#ended) return null;
      await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
    const first = this.#parts[0];
    const count = Math.min(first.length, buffer.length);
    buffer.set(first.subarray(0, count));
    if (count < first.length) this.#parts[0] = first.subarray(count);
    else this.#parts.shift();
    return count;
  }

  /** What has been written by now. */
  takeAll(): Uint8Array {
    return Uint8Array.from(this.#parts.splice(0).flatMap((part) => [...part]));
  }

  unblock(): void {
    this.blocked = false;
    this.#wakeAll();
  }

  #wakeAll(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}

/** Bytes of a text of ISO 8859-1. */
export function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

export function textOf(bytes: Uint8Array): string {
  return new TextDecoder("latin1").decode(bytes);
}

/** A server on a connection in memory, and what a client sees of it. */
export function open(handler: Http1Handler, options: Http1Options = {}) {
  const clock = new FakeClock();
  const up = new Pipe();
  const down = new Pipe();
  const errors: unknown[] = [];
  const state = { closed: false, reads: 0, writes: [] as number[] };
  const socket: Http1Socket = {
    read(buffer) {
      state.reads++;
      return up.read(buffer);
    },
    write(bytes) {
      state.writes.push(bytes.length);
      return down.write(bytes);
    },
    close() {
      state.closed = true;
      up.end();
      down.end();
    },
    closeWrite() {
      down.end();
      return Promise.resolve();
    },
    remoteAddr: { transport: "tcp", hostname: "127.0.0.1", port: 50_000 },
  };
  const connection = serveHttp1Connection(socket, handler, {
    clock,
    onError: (error) => errors.push(error),
    ...options,
  });
  return {
    connection,
    clock,
    errors,
    state,
    down,
    send: (part: string | Uint8Array) => up.write(typeof part === "string" ? bytesOf(part) : part),
    /** The client sends no more. */
    end: () => up.end(),
    /** All that the server sends until it closes its side. */
    async received(): Promise<string> {
      const buffer = new Uint8Array(65_536);
      let text = "";
      for (let count = await down.read(buffer); count !== null; count = await down.read(buffer)) {
        text += textOf(buffer.subarray(0, count));
      }
      return text;
    },
    /** What the server has sent by now. */
    async sent(): Promise<string> {
      await settled();
      return textOf(down.takeAll());
    },
  };
}

/** Sends `input` in the given parts, then ends; what comes back. */
export async function script(
  input: string | string[],
  handler: Http1Handler = echo,
  options: Http1Options = {},
): Promise<string> {
  const { send, end, received, connection, clock } = open(handler, options);
  for (const part of [input].flat()) {
    await send(part);
    await settled(1);
  }
  end();
  const text = await received();
  await connection.finished;
  if (clock.timers > 0) throw new Error("a timer is left");
  return text;
}

/** Answers with the method, the URL and the body of the request. */
export const echo: Http1Handler = async (request) => {
  let body = "";
  for await (const chunk of request.body) body += textOf(chunk);
  return text(`${request.method} ${request.url} [${body}]`);
};

export function text(content: string, status = 200, header = new Headers()) {
  return { status, header, body: chunks(content) };
}

export async function* chunks(...parts: (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield await Promise.resolve(typeof part === "string" ? encoder.encode(part) : part);
}
