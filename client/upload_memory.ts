/**
 * Which uploads have begun and not ended, so that they go on after the program, or the tab, was closed: the id of a
 * stream by a fingerprint of its source (where it is, its size, when it was last changed) and of the server.
 *
 * @module
 */
import { Code } from "./deps.ts";
import { SluiceError } from "./errors.ts";
import { sha256Hex } from "./hash.ts";
import { UPLOAD_MEMORY_MS, UPLOADS_COLLECTED_EVERY, UPLOADS_REMEMBERED } from "./limits.ts";
import { hasNodeModules } from "./platform.ts";

/** What is remembered of an upload. */
interface Entry {
  streamId: string;
  /** Milliseconds since the epoch. */
  begun: number;
}

/** Where entries are kept, as texts. */
interface TextStore {
  keys(): Promise<string[]> | string[];
  get(key: string): Promise<string | undefined> | string | undefined;
  set(key: string, value: string): Promise<void> | void;
  delete(key: string): Promise<void> | void;
}

export class UploadMemory {
  /** Keys of uploads that are under way: two of the same source would fence each other off. */
  readonly #claimed = new Set<string>();
  #remembered = 0;

  constructor(readonly store: TextStore, readonly server: string) {}

  async keyOf(fingerprint: string): Promise<string> {
    return (await sha256Hex(new TextEncoder().encode(`${this.server} ${fingerprint}`))).slice(0, 32);
  }

  /** Takes an upload for oneself; undefined if it is under way already. */
  claim(key: string): Disposable | undefined {
    if (this.#claimed.has(key)) return undefined;
    this.#claimed.add(key);
    return { [Symbol.dispose]: () => void this.#claimed.delete(key) };
  }

  /** The id of the stream; undefined if there is none, or the server will have forgotten it. */
  async recall(key: string): Promise<string | undefined> {
    return (await this.#entryOf(key))?.streamId;
  }

  /** @throws {SluiceError} `buffer` if nothing can be written there. */
  async remember(key: string, streamId: string): Promise<void> {
    if (this.#remembered++ % UPLOADS_COLLECTED_EVERY === 0) await this.#collect();
    try {
      await this.store.set(key, JSON.stringify({ streamId, begun: Date.now() } satisfies Entry));
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : cause;
      throw new SluiceError(`Cannot remember in stateDir that the upload has begun: ${why}`, {
        code: Code.FailedPrecondition,
        reason: "buffer",
        retryable: false,
        cause,
      });
    }
  }

  async forget(key: string): Promise<void> {
    await this.store.delete(key);
  }

  /** What is remembered of an upload; undefined if it is nothing that is of use. */
  async #entryOf(key: string): Promise<Entry | undefined> {
    const text = await this.store.get(key);
    if (text === undefined) return undefined;
    try {
      const { streamId, begun } = JSON.parse(text) as Entry;
      if (typeof streamId === "string" && Date.now() - begun < UPLOAD_MEMORY_MS) return { streamId, begun };
    } catch {
      // Somebody else's, or cut in the middle of being written: the upload begins anew.
    }
    return undefined;
  }

  /** Drops what is of no use, and the oldest of what is too much: nobody may come to go on with it. */
  async #collect(): Promise<void> {
    const kept: { key: string; begun: number }[] = [];
    for (const key of await this.store.keys()) {
      if (this.#claimed.has(key)) continue;
      const entry = await this.#entryOf(key);
      if (entry === undefined) await this.store.delete(key);
      else kept.push({ key, begun: entry.begun });
    }
    kept.sort((a, b) => a.begun - b.begun);
    // One more is about to be remembered.
    for (const { key } of kept.slice(0, Math.max(0, kept.length + 1 - UPLOADS_REMEMBERED))) {
      await this.store.delete(key);
    }
  }
}

/** A memory in a folder (Deno, Node) or in a browser's localStorage; undefined if there is neither. */
export function createUploadMemory(server: string, stateDir: string | undefined): UploadMemory | undefined {
  if (hasNodeModules) return stateDir === undefined ? undefined : new UploadMemory(inFolder(stateDir), server);
  const storage = browserStorage();
  return storage && new UploadMemory(storage, server);
}

/** One small file for each upload, written beside and renamed, so that no reader sees half of one. */
function inFolder(folder: string): TextStore {
  const fs = () => import("node:fs/promises");
  const pathOf = (key: string) => `${folder}/upload-${key}.json`;
  return {
    async keys() {
      const names = await (await fs()).readdir(folder).catch(() => []);
      return names.flatMap((name) => /^upload-([0-9a-f]+)\.json$/.exec(name)?.[1] ?? []);
    },
    async get(key) {
      return await (await fs()).readFile(pathOf(key), "utf8").catch(() => undefined);
    },
    async set(key, value) {
      const { mkdir, rename, writeFile } = await fs();
      await mkdir(folder, { recursive: true });
      const beside = `${pathOf(key)}.${crypto.randomUUID()}`;
      await writeFile(beside, value);
      await rename(beside, pathOf(key));
    },
    async delete(key) {
      await (await fs()).rm(pathOf(key), { force: true });
    },
  };
}

function browserStorage(): TextStore | undefined {
  try {
    const { localStorage } = globalThis;
    const prefix = "sluice-upload-";
    const nameOf = (key: string) => `${prefix}${key}`;
    return {
      keys() {
        const names = Array.from({ length: localStorage.length }, (_, i) => localStorage.key(i) ?? "");
        return names.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));
      },
      get: (key) => localStorage.getItem(nameOf(key)) ?? undefined,
      set(key, value) {
        try {
          localStorage.setItem(nameOf(key), value);
        } catch {
          // It is full: then this upload ends with the tab.
        }
      },
      delete: (key) => localStorage.removeItem(nameOf(key)),
    };
  } catch {
    // Private windows and workers may have none: then uploads end with the tab.
    return undefined;
  }
}
