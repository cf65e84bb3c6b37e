/**
 * A TCP proxy that does to connections what networks do: it cuts them, holds them up, takes packets apart, loses
 * answers, and brings a request a second time.
 *
 * @module
 */
import { KIB, MIB } from "../../limits.ts";
import type { Random } from "../store/format/random.ts";
import { sleep } from "./resuming_client.ts";

/** What happens to a connection. */
export const FAULTS = ["none", "cut", "cut later", "stall", "split", "lose answers", "duplicate"] as const;
export type Fault = typeof FAULTS[number];

export interface ProxyOptions {
  /** Where connections go on to. */
  readonly port: number;
  readonly random: Random;
  /** Faults to choose from; one that stands here twice is chosen twice as often. Default: each of them. */
  readonly faults?: readonly Fault[];
  /** Whether the network is well for now. */
  readonly calm?: () => boolean;
  /** Bytes of a request up to where it is cut, or held up. Default: up to 4 MiB, few as likely as many. */
  readonly faultAfter?: () => number;
  /** Cuts all connections there are, each time so many ms have passed. */
  readonly cutEveryMs?: number;
  /** Share of answers that are lost, from 0 to 1, whatever else becomes of a connection. */
  readonly losesAnswers?: number;
  /** What all connections together bring to the server. */
  readonly bytesPerSecond?: number;
  /** How late each part of an answer comes, ms. */
  readonly delayMs?: number;
}

export interface Proxy extends AsyncDisposable {
  readonly url: string;
  /** Connections so far, by what became of them. */
  readonly counts: ReadonlyMap<Fault, number>;
  /** Requests that were cut in the middle, and connections that were open when all were cut. */
  readonly cuts: () => number;
  /** Answers that were lost, as losesAnswers says. */
  readonly lost: () => number;
  /** Bytes that went to the server. */
  readonly bytesUp: () => number;
}

/** Bytes of a request that are kept to be sent a second time. */
const RECORDED_BYTES = 8 * MIB;
/** Bytes that are sent in the smallest packets. */
const SPLIT_BYTES = 2 * KIB;
/** The longest time that a connection is held up, ms. */
const STALL_MS = 6000;
/** The longest time after which a connection is cut, ms. */
const CUT_MS = 3000;

export function startProxy(options: ProxyOptions): Proxy {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const counts = new Map<Fault, number>();
  const open = new Set<Deno.Conn>();
  const state: State = { cuts: 0, lost: 0, bytesUp: 0, freeAt: 0, links: new Set(), open };
  const cutting = options.cutEveryMs && setInterval(() => {
    if (options.calm?.()) return;
    for (const link of state.links) link.cut();
  }, options.cutEveryMs);
  const accepting = (async () => {
    for await (const client of listener) {
      const fault = options.calm?.() ? "none" : options.random.pick(options.faults ?? FAULTS);
      counts.set(fault, (counts.get(fault) ?? 0) + 1);
      void new Link(client, fault, options, state).run();
    }
  })();
  return {
    url: `http://127.0.0.1:${(listener.addr as Deno.NetAddr).port}`,
    counts,
    cuts: () => state.cuts,
    lost: () => state.lost,
    bytesUp: () => state.bytesUp,
    async [Symbol.asyncDispose]() {
      clearInterval(cutting);
      listener.close();
      await accepting;
      for (const connection of open) close(connection);
    },
  };
}

/** What the links of a proxy share. */
interface State {
  cuts: number;
  lost: number;
  bytesUp: number;
  /** When the line to the server is free again, by performance.now(). */
  freeAt: number;
  readonly links: Set<Link>;
  readonly open: Set<Deno.Conn>;
}

/** A connection of a client, and that to the server. */
class Link {
  readonly #random: Random;
  readonly #recorded: Uint8Array[] = [];
  #recordedBytes = 0;
  #server: Deno.Conn | undefined;
  /** Something was sent since the last answer. */
  #asked = false;

  constructor(
    readonly client: Deno.Conn,
    readonly fault: Fault,
    readonly options: ProxyOptions,
    readonly state: State,
  ) {
    this.#random = options.random;
    state.open.add(client);
    state.links.add(this);
  }

  /** Cuts it from outside. */
  cut(): void {
    this.state.cuts++;
    this.#cut();
  }

  async run(): Promise<void> {
    try {
      const server = this.#server = await this.#connect();
      if (this.fault === "cut later") setTimeout(() => this.#cut(), this.#random.next() * CUT_MS);
      await Promise.all([this.#up(server), this.#down(server)]);
    } catch {
      // Whoever went, the other one is to notice.
    } finally {
      this.#cut();
    }
    if (this.fault === "duplicate") await this.#repeat().catch(() => {});
  }

  async #connect(): Promise<Deno.TcpConn> {
    const server = await Deno.connect({ hostname: "127.0.0.1", port: this.options.port });
    this.state.open.add(server);
    server.setNoDelay(true);
    return server;
  }

  /** What the client sends. */
  async #up(server: Deno.TcpConn): Promise<void> {
    const limit = this.options.faultAfter?.() ?? Math.ceil((4 * MIB) ** this.#random.next());
    let passed = 0;
    for await (const data of chunks(this.client)) {
      const held = passed <= limit && passed + data.length > limit;
      passed += data.length;
      this.state.bytesUp += data.length;
      this.#asked = true;
      await this.#transmit(data.length);
      if (this.fault === "duplicate") this.#record(data);
      if (this.fault === "split") await this.#writeSplit(server, data);
      else if (this.fault === "cut" && held) {
        await write(server, data.subarray(0, limit - passed + data.length));
        this.state.cuts++;
        return this.#cut();
      } else {
        if (this.fault === "stall" && held) await sleep(this.#random.next() * STALL_MS);
        await write(server, data);
      }
    }
    await server.closeWrite();
  }

  /** Resolves when so many bytes have gone over the line. */
  async #transmit(bytes: number): Promise<void> {
    const { bytesPerSecond = Infinity } = this.options;
    const now = performance.now();
    this.state.freeAt = Math.max(now, this.state.freeAt) + bytes / bytesPerSecond * 1000;
    if (this.state.freeAt > now + 1) await sleep(this.state.freeAt - now);
  }

  /** What the server answers. */
  async #down(server: Deno.Conn): Promise<void> {
    for await (const data of chunks(server)) {
      // The server has done what was asked for, and the client does not get to know.
      if (this.fault === "lose answers") return this.#cut();
      if (this.#asked && this.#random.next() < (this.options.losesAnswers ?? 0)) {
        this.state.lost++;
        return this.#cut();
      }
      this.#asked = false;
      if (this.options.delayMs) await sleep(this.options.delayMs);
      await write(this.client, data);
    }
    this.#cut();
  }

  async #writeSplit(server: Deno.Conn, data: Uint8Array): Promise<void> {
    const small = data.subarray(0, SPLIT_BYTES);
    for (let at = 0; at < small.length;) {
      const end = at + 1 + this.#random.below(100);
      await write(server, small.subarray(at, end));
      at = end;
      if (this.#random.next() < 0.1) await sleep(1);
    }
    await write(server, data.subarray(SPLIT_BYTES));
  }

  #record(data: Uint8Array): void {
    if (this.#recordedBytes >= RECORDED_BYTES) return;
    this.#recorded.push(data.slice());
    this.#recordedBytes += data.length;
  }

  /** The same bytes once more, as if the network had kept a copy. */
  async #repeat(): Promise<void> {
    await sleep(this.#random.next() * 500);
    const server = this.#server = await this.#connect();
    try {
      const answers = (async () => {
        for await (const _ of chunks(server));
      })();
      for (const data of this.#recorded) await write(server, data);
      await server.closeWrite();
      await Promise.race([answers, sleep(STALL_MS)]);
    } finally {
      this.#cut();
    }
  }

  #cut(): void {
    this.state.links.delete(this);
    for (const connection of [this.client, this.#server]) {
      if (connection === undefined) continue;
      this.state.open.delete(connection);
      close(connection);
    }
  }
}

async function* chunks(connection: Deno.Conn): AsyncGenerator<Uint8Array> {
  for (;;) {
    const buffer = new Uint8Array(64 * KIB);
    const length = await connection.read(buffer);
    if (length === null) return;
    yield buffer.subarray(0, length);
  }
}

async function write(connection: Deno.Conn, data: Uint8Array): Promise<void> {
  while (data.length > 0) data = data.subarray(await connection.write(data));
}

function close(connection: Deno.Conn): void {
  try {
    connection.close();
  } catch {
    // It is closed already.
  }
}
