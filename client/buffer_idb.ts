/**
 * An offline buffer in a browser: IndexedDB, in a database of the origin that is called `sluice`. Each append is one
 * transaction, with durability "strict": it has ended when the disk has been synced. The object store `blocks` has the
 * envelopes of blocks under [buffer, position of the first item, items, bytes], so that keys alone tell what there is;
 * `buffers` has the records of streams by the buffer's name.
 *
 * That one tab at a time has a buffer, Web Locks see to. They are there in secure contexts only (https, and loopback
 * addresses); elsewhere a buffer is refused, for two tabs would give the same place in a stream to different items.
 *
 * @module
 */
import { asBufferError, type Block, bufferError, type BufferMeta, type BufferStore } from "./buffer_store.ts";
import { isMeta, joinBlocks, skipMessages } from "./buffer_store.ts";
import { withResolvers } from "./deferred.ts";
import { Code } from "./deps.ts";

/** [buffer, position of the first item, items, bytes]. */
type BlockKey = [string, number, number, number];

// IndexedDB and Web Locks as far as they are needed here: the types of browsers are not among Deno's.

interface Request<T> {
  result: T;
  error: unknown;
  onsuccess: () => void;
  onerror: () => void;
}

interface OpenRequest extends Request<Database> {
  onupgradeneeded: () => void;
}

interface Database {
  createObjectStore(name: string): unknown;
  transaction(stores: string, mode: "readonly" | "readwrite", options?: { durability: "strict" }): Transaction;
  close(): void;
}

interface Transaction {
  objectStore(name: string): ObjectStore;
  error: unknown;
  oncomplete: () => void;
  onabort: () => void;
}

interface ObjectStore {
  put(value: unknown, key: unknown): Request<unknown>;
  get(key: unknown): Request<unknown>;
  getAll(range: KeyRange): Request<unknown[]>;
  getAllKeys(range: KeyRange, count: number): Request<BlockKey[]>;
  openKeyCursor(range: KeyRange, direction: "prev"): Request<{ key: BlockKey } | null>;
  delete(range: unknown): Request<unknown>;
}

interface KeyRange {
  readonly lower: unknown;
}

interface Browser {
  indexedDB?: { open(name: string, version: number): OpenRequest };
  IDBKeyRange: { bound(lower: unknown, upper: unknown, lowerOpen?: boolean, upperOpen?: boolean): KeyRange };
  navigator?: {
    locks?: {
      request(
        name: string,
        options: { ifAvailable: true },
        held: (lock: unknown) => Promise<void> | undefined,
      ): Promise<unknown>;
    };
  };
}

const browser = globalThis as unknown as Browser;

/** Keys that are read at once when a buffer is opened. */
const KEYS = 10_000;

/** Blocks that are read at once at the most. */
const READ_BLOCKS = 256;

/** Bytes that a block takes besides its own, about. */
const BLOCK_BYTES = 100;

/** Opens a buffer. @throws {SluiceError} `buffer`. */
export function openIndexedDb(name: string): Promise<BufferStore> {
  return asBufferError(`open the buffer "${name}"`, async () => {
    const unlock = await lock(name);
    try {
      const store = new IndexedDbStore(await openDatabase(), name, unlock);
      await store.load();
      return store;
    } catch (error) {
      unlock();
      throw error;
    }
  });
}

class IndexedDbStore implements BufferStore {
  meta: BufferMeta | undefined;
  first = 0;
  end = 0;
  bytes = 0;

  constructor(readonly database: Database, readonly name: string, readonly unlock: () => void) {}

  /** Finds what an earlier run has left. */
  async load(): Promise<void> {
    const { name } = this;
    const meta = await this.#ask("buffers", (store) => store.get(name));
    if (meta !== undefined && !isMeta(meta)) throw this.#damaged("it has no record that can be read");
    this.meta = meta;
    this.first = this.end = Math.max(0, ...meta?.streams.map(({ committed }) => committed) ?? []);
    let before: BlockKey | undefined;
    for (;;) {
      const range = this.#range(before?.[1] ?? -1, true);
      const keys = await this.#ask("blocks", (store) => store.getAllKeys(range, KEYS));
      if (keys.length === 0) break;
      for (const key of keys) {
        const [, start, items, bytes] = key;
        if (before === undefined) this.first = start;
        else if (start !== this.end) throw this.#damaged(`items are missing before ${start}`);
        this.end = start + items;
        this.bytes += bytes + BLOCK_BYTES;
        before = key;
      }
    }
    if (this.end < (meta?.saved ?? 0)) throw this.#damaged(`it ends with item ${this.end}`);
  }

  append(blocks: readonly Block[]): Promise<void> {
    return asBufferError(`write to the buffer "${this.name}"`, async () => {
      let { end } = this;
      await this.#change("blocks", (store) => {
        for (const { items, bytes } of blocks) {
          store.put(bytes, [this.name, end, items, bytes.length]);
          end += items;
        }
      });
      this.end = end;
      for (const { bytes } of blocks) this.bytes += bytes.length + BLOCK_BYTES;
    });
  }

  read(position: number, maxBytes: number, until: number): Promise<Block> {
    return asBufferError(`read the buffer "${this.name}"`, async () => {
      const from = await this.#startOf(position);
      const keys = await this.#ask("blocks", (store) => store.getAllKeys(this.#range(from), READ_BLOCKS));
      let taken = 0;
      let bytes = 0;
      while (taken < keys.length && keys[taken][1] < until && (taken === 0 || bytes + keys[taken][3] <= maxBytes)) {
        bytes += keys[taken++][3];
      }
      if (taken === 0) throw this.#damaged(`item ${position} is missing`);
      const range = browser.IDBKeyRange.bound(keys[0], keys[taken - 1]);
      const values = await this.#ask("blocks", (store) => store.getAll(range)) as Uint8Array<ArrayBuffer>[];
      const blocks = values.map((bytes, i) => ({ items: keys[i][2], bytes }));
      const skipped = position - from;
      blocks[0] = { items: blocks[0].items - skipped, bytes: skipMessages(blocks[0].bytes, skipped) };
      return joinBlocks(blocks);
    });
  }

  /** Where the block begins that holds an item. */
  async #startOf(position: number): Promise<number> {
    const range = browser.IDBKeyRange.bound([this.name, 0], [this.name, position, []]);
    const cursor = await this.#ask("blocks", (store) => store.openKeyCursor(range, "prev"));
    if (cursor === null || cursor.key[1] + cursor.key[2] <= position) {
      throw this.#damaged(`item ${position} is missing`);
    }
    return cursor.key[1];
  }

  drop(position: number): Promise<void> {
    return asBufferError(`remove what is sent from the buffer "${this.name}"`, async () => {
      for (;;) {
        const keys = await this.#ask("blocks", (store) => store.getAllKeys(this.#range(-1), READ_BLOCKS));
        const past = keys.filter(([, start, items]) => start + items <= position);
        const last = past.at(-1);
        if (last === undefined) return;
        await this.#change("blocks", (store) => store.delete(browser.IDBKeyRange.bound(past[0], last)));
        // Somebody else may be dropping the same ones.
        for (const [, start, items, bytes] of past) {
          if (start < this.first) continue;
          this.first = start + items;
          this.bytes -= bytes + BLOCK_BYTES;
        }
      }
    });
  }

  setMeta(meta: BufferMeta): Promise<void> {
    this.meta = meta;
    return asBufferError(
      `write to the buffer "${this.name}"`,
      () => this.#change("buffers", (store) => store.put(meta, this.name)),
    );
  }

  async close(leave: "all" | "record" | "nothing"): Promise<void> {
    try {
      if (leave !== "all") await this.#change("blocks", (store) => store.delete(this.#range(-1)));
      if (leave === "nothing") await this.#change("buffers", (store) => store.delete(this.name));
    } catch {
      // The next one that opens it finds that nothing of it waits.
    }
    this.database.close();
    this.unlock();
  }

  /** Keys of blocks from a position on, or after it. */
  #range(position: number, after = false): KeyRange {
    return browser.IDBKeyRange.bound([this.name, position, ...after ? [[]] : []], [this.name, []]);
  }

  #ask<T>(stores: string, ask: (store: ObjectStore) => Request<T>): Promise<T> {
    return resultOf(ask(this.database.transaction(stores, "readonly").objectStore(stores)));
  }

  /** Resolves when the change is durable. */
  async #change(stores: string, change: (store: ObjectStore) => void): Promise<void> {
    const { promise, resolve, reject } = withResolvers<void>();
    const transaction = this.database.transaction(stores, "readwrite", { durability: "strict" });
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error);
    change(transaction.objectStore(stores));
    await promise;
  }

  #damaged(what: string) {
    return bufferError(`The buffer "${this.name}" is damaged: ${what}`, { code: Code.DataLoss });
  }
}

function openDatabase(): Promise<Database> {
  if (browser.indexedDB === undefined) throw bufferError("There is no IndexedDB here", { code: Code.Unimplemented });
  const request = browser.indexedDB.open("sluice", 1);
  request.onupgradeneeded = () => {
    request.result.createObjectStore("buffers");
    request.result.createObjectStore("blocks");
  };
  return resultOf(request);
}

function resultOf<T>(request: Request<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** Takes the lock of a buffer. @returns what gives it back. */
async function lock(name: string): Promise<() => void> {
  const locks = browser.navigator?.locks;
  if (locks === undefined) {
    throw bufferError("An offline buffer needs Web Locks, which browsers have on pages of https or of this machine", {
      code: Code.Unimplemented,
    });
  }
  const released = withResolvers<void>();
  const taken = withResolvers<boolean>();
  locks.request(`sluice-buffer-${name}`, { ifAvailable: true }, (lock) => {
    taken.resolve(lock !== null);
    return lock === null ? undefined : released.promise;
  }).catch(taken.reject);
  if (await taken.promise) return () => released.resolve();
  throw bufferError(`The buffer "${name}" is in use by another tab, or another writer of this one`, {
    code: Code.FailedPrecondition,
  });
}
