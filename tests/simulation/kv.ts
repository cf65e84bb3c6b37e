/**
 * A simulated Deno KV that several processes share. It keeps what was committed whatever happens, and answers as a remote
 * one does on a bad day: late, not at all, with an error after it did what was asked, or, having been asked again by the
 * client's library, that a check does not hold because the first try was carried out.
 *
 * @module
 */
import { crc32 } from "node:zlib";
import { KvData, type KvMutation, validateCommit, validateReadKey } from "./kv_data.ts";
import type { KvCheck } from "./kv_data.ts";
import { encodeKey, prefixRange } from "./kv_key.ts";
import type { Latency, Process } from "./process.ts";

/** The part of Deno.Kv that is simulated. */
export type SimulatedKv = Pick<Deno.Kv, "get" | "getMany" | "list" | "atomic" | "close">;

type Stored = Uint8Array | Deno.KvU64;

const MAX_RANGES = 10;
const MAX_BATCH = 1000;
const DEFAULT_BATCH = 100;

export class SimKv {
  readonly data = new KvData();

  /** Opens it for a process, whose answers may go astray. */
  open(process: Process): SimulatedKv {
    return new Handle(this.data, process);
  }
}

class Handle implements SimulatedKv {
  #closed = false;

  constructor(private readonly data: KvData, private readonly process: Process) {}

  async get<T>(key: Deno.KvKey): Promise<Deno.KvEntryMaybe<T>> {
    const [entry] = await this.getMany<[T]>([key]);
    return entry;
  }

  getMany<T extends readonly unknown[]>(
    keys: readonly [...{ [K in keyof T]: Deno.KvKey }],
  ): Promise<{ [K in keyof T]: Deno.KvEntryMaybe<T[K]> }> {
    return this.#read(`get ${keys.map(show)}`, () => {
      if (keys.length > MAX_RANGES) throw new TypeError(`Too many ranges (max ${MAX_RANGES})`);
      return keys.map((key) => {
        const encoded = encodeKey(key);
        validateReadKey(encoded);
        return { key, ...(this.data.get(encoded) ?? { value: null, versionstamp: null }) };
      }) as { [K in keyof T]: Deno.KvEntryMaybe<T[K]> };
    }, (entries) => entries.map(({ versionstamp }) => shortened(versionstamp)).join(" "));
  }

  list<T>(selector: Deno.KvListSelector, options?: Deno.KvListOptions): Deno.KvListIterator<T> {
    // Nobody asks for its cursor.
    return this.#entries(selector, options) as unknown as Deno.KvListIterator<T>;
  }

  async *#entries(
    selector: Deno.KvListSelector,
    { limit = Infinity, reverse = false, batchSize }: Deno.KvListOptions = {},
  ): AsyncGenerator<Deno.KvEntry<Stored>> {
    let [start, end] = range(selector);
    for (let left = limit; left > 0;) {
      const size = Math.min(batchSize ?? DEFAULT_BATCH, left);
      const entries = await this.#read(`list ${show(Object.values(selector).flat())}`, () => {
        if (size > MAX_BATCH) throw new TypeError(`Too many entries (max ${MAX_BATCH})`);
        return this.data.range(start, end, size, reverse);
      }, (found) => String(found.length));
      yield* entries;
      if (entries.length < size) return;
      left -= size;
      const last = encodeKey(entries[entries.length - 1].key);
      if (reverse) end = last;
      else start = last + "\0";
    }
  }

  atomic(): Deno.AtomicOperation {
    return new Operation((checks, mutations) => this.#commit(checks, mutations));
  }

  close(): void {
    this.#closed = true;
  }

  #read<T>(what: string, effect: () => T, show: (value: T) => string): Promise<T> {
    if (this.#closed) return Promise.reject(new Deno.errors.BadResource("Bad resource ID"));
    const { faults } = this.process.world;
    if (faults.happens("kv.error")) return this.#fail(what);
    const latency = this.#latency();
    return this.process.request(
      what,
      { ...latency, ...(faults.happens("kv.silent") && { back: Infinity }) },
      effect,
      show,
    );
  }

  #commit(checks: readonly KvCheck[], given: readonly KvMutation[]): Promise<Result> {
    if (this.#closed) return Promise.reject(new Deno.errors.BadResource("Bad resource ID"));
    // Whoever gave the bytes may change them.
    const mutations = given.map((m) => m.type === "set" ? { ...m, value: m.value.slice() } : m);
    try {
      validateCommit(checks, mutations);
    } catch (error) {
      return this.process.request("commit", { there: 0, back: 0 }, () => {
        throw error;
      });
    }
    const { process } = this;
    const { faults, random } = process.world;
    const what = `commit ${checks.map(({ key, versionstamp }) => `${show(key)}=${shortened(versionstamp)}`)} ${
      mutations.map(showMutation)
    }`;
    const once = (latency: Latency, note = "") =>
      process.request(what + note, latency, (): Result => {
        const versionstamp = this.data.commit(checks, mutations);
        return versionstamp === undefined ? { ok: false } : { ok: true, versionstamp };
      }, (result) => result.ok ? result.versionstamp : "conflict");

    if (faults.happens("kv.error")) return this.#fail(what);
    if (faults.happens("kv.locked")) return this.#fail(what, new TypeError("database is locked"));
    if (faults.happens("kv.silent")) return new Promise(() => {});
    const latency = this.#latency();
    if (faults.happens("kv.lost")) {
      return once(latency, " (answer lost)").then(() => {
        throw new TypeError("connection closed before message completed");
      });
    }
    if (faults.happens("kv.resent")) {
      void once({ ...latency, back: Infinity }, " (to be sent again)");
      return once({ ...latency, there: latency.there + random.between(1, 1000) }, " (again)");
    }
    if (faults.happens("kv.late")) return once({ ...latency, there: random.between(2000, 90_000) }, " (late)");
    return once(latency);
  }

  #fail(what: string, error: Error = new TypeError("connection refused")): Promise<never> {
    return this.process.request(what, this.#latency(), () => {
      throw error;
    });
  }

  #latency(): Latency {
    const { world } = this.process;
    const slow = world.faults.happens("kv.slow");
    return { there: world.delay(slow && world.random.chance(0.5)), back: world.delay(slow) };
  }
}

type Result = { ok: true; versionstamp: string } | { ok: false };

/** Of Deno.AtomicOperation, what the project uses. */
class Operation implements Deno.AtomicOperation {
  readonly #checks: KvCheck[] = [];
  readonly #mutations: KvMutation[] = [];

  constructor(
    private readonly send: (checks: readonly KvCheck[], mutations: readonly KvMutation[]) => Promise<Result>,
  ) {}

  check(...checks: Deno.AtomicCheck[]): this {
    this.#checks.push(...checks.map(({ key, versionstamp }) => ({ key, versionstamp })));
    return this;
  }

  set(key: Deno.KvKey, value: unknown): this {
    if (!(value instanceof Uint8Array)) throw new TypeError("the simulation keeps bytes only");
    this.#mutations.push({ type: "set", key, value });
    return this;
  }

  sum(key: Deno.KvKey, n: bigint): this {
    // As Deno does it, with its message.
    this.#mutations.push({ type: "sum", key, value: new Deno.KvU64(n).value });
    return this;
  }

  delete(key: Deno.KvKey): this {
    this.#mutations.push({ type: "delete", key });
    return this;
  }

  commit(): Promise<Deno.KvCommitResult | Deno.KvCommitError> {
    return this.send([...this.#checks], [...this.#mutations]) as Promise<Deno.KvCommitResult | Deno.KvCommitError>;
  }

  min = notSimulated;
  max = notSimulated;
  mutate = notSimulated;
  enqueue = notSimulated;
}

function notSimulated(): never {
  throw new Error("the simulation does not know this mutation");
}

/** Throws as KV does at a selector that makes no sense. */
function range(selector: Deno.KvListSelector): [string, string] {
  const { prefix, start, end } = selector as { prefix?: Deno.KvKey; start?: Deno.KvKey; end?: Deno.KvKey };
  let [low, high] = prefix ? prefixRange(prefix) : ["", ""];
  const isInside = (key: string) => !prefix || (key >= low && key < high);
  const encodedStart = start && encodeKey(start), encodedEnd = end && encodeKey(end);
  if (encodedStart !== undefined && !isInside(encodedStart)) {
    throw new TypeError("Start key is not in the keyspace defined by prefix");
  }
  if (encodedEnd !== undefined && !isInside(encodedEnd)) {
    throw new TypeError("End key is not in the keyspace defined by prefix");
  }
  low = encodedStart ?? low;
  high = encodedEnd ?? high;
  if (low > high) throw new TypeError("Start key is greater than end key");
  return [low, high];
}

const show = (key: Deno.KvKey) => key.map((part) => part instanceof Uint8Array ? part.toHex() : String(part)).join("/");

const shortened = (versionstamp: string | null) =>
  versionstamp === null ? "-" : versionstamp.slice(0, 16).replace(/^0+/, "");

function showMutation(mutation: KvMutation): string {
  switch (mutation.type) {
    case "set":
      return `${show(mutation.key)}:=${mutation.value.length}#${crc32(mutation.value).toString(16)}`;
    case "sum":
      return `${show(mutation.key)}+=${mutation.value}`;
    case "delete":
      return `${show(mutation.key)} deleted`;
  }
}
