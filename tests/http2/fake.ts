/** A clock that tests move, and a connection in memory. */
import type { Clock } from "../../http2/clock.ts";
import type { Socket } from "../../http2/connection.ts";
import { settled } from "./basics.ts";

export class FakeClock implements Clock {
  #now = 1_000;
  #timers = new Set<{ at: number; callback: () => void }>();

  now = (): number => this.#now;
  wallTime = (): number => 1_700_000_000_000 + this.#now;

  setTimer = (callback: () => void, ms: number): () => void => {
    const timer = { at: this.#now + ms, callback };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  };

  get timers(): number {
    return this.#timers.size;
  }

  /** Moves the clock and calls the timers on the way, in order; between them the event loop turns. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    for (;;) {
      let next: { at: number; callback: () => void } | undefined;
      for (const timer of this.#timers) if (timer.at <= end && (!next || timer.at < next.at)) next = timer;
      if (!next) break;
      this.#timers.delete(next);
      this.#now = next.at;
      next.callback();
      await settled(2);
    }
    this.#now = end;
  }
}

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

  unblock(): void {
    this.blocked = false;
    this.#wakeAll();
  }

  /** All that has been written, or null at the end. */
  async read(most = Infinity): Promise<Uint8Array | null> {
    while (this.#parts.length === 0) {
      if (this.#ended) return null;
      await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
    const first = this.#parts[0];
    if (first.length > most) {
      this.#parts[0] = first.subarray(most);
      return first.subarray(0, most);
    }
    return this.#parts.shift()!;
  }

  #wakeAll(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}

/** What a client writes to and reads from. */
export interface Transport {
  send(bytes: Uint8Array): Promise<unknown>;
  receive(): Promise<Uint8Array | null>;
  close(): void;
}

/** Two ends of a connection in memory. `writes` counts what the server wrote at once. */
export function memoryConnection() {
  const up = new Pipe();
  const down = new Pipe();
  const state = { writes: 0, closed: false };
  const addr: Deno.NetAddr = { transport: "tcp", hostname: "127.0.0.1", port: 8080 };
  const socket: Socket = {
    async read(buffer: Uint8Array) {
      const part = await up.read(buffer.length);
      if (part) buffer.set(part);
      return part && part.length;
    },
    write(bytes: Uint8Array) {
      state.writes++;
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
    localAddr: addr,
    remoteAddr: { ...addr, port: 50_000 },
  };
  const transport: Transport = {
    send: (bytes) => up.write(bytes),
    receive: () => down.read(),
    close: () => up.end(),
  };
  return { socket, transport, down, state };
}

/** A transport over TCP or TLS. */
export function socketTransport(conn: Deno.Conn): Transport {
  const buffer = new Uint8Array(65_536);
  return {
    async send(bytes) {
      for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
    },
    async receive() {
      const count = await conn.read(buffer).catch(() => null);
      return count === null ? null : buffer.slice(0, count);
    },
    close() {
      try {
        conn.close();
      } catch {
        // It is closed already.
      }
    },
  };
}
