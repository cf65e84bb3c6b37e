/**
 * An offline buffer in a folder (Deno, Node): segment files to which items are appended (buffer_record.ts), each named
 * by the position of its first item, and `meta.json`, which is written beside and renamed. Nothing counts as saved
 * before fdatasync, and of a new file its folder is synced too. What was being written when the machine stopped is cut
 * off; damage anywhere else is an error that names the file. A segment is removed when all of it is committed.
 *
 * @module
 */
import { BUFFER_SEGMENT_BYTES } from "./limits.ts";
import { lockFile } from "./buffer_lock.ts";
import { type Crc32, readRecord, RECORD_BYTES, recordHead, recordLength, slowCrc32 } from "./buffer_record.ts";
import { scanTail, SEGMENT_HEADER } from "./buffer_record.ts";
import { asBufferError, type Block, bufferError, type BufferMeta, type BufferStore } from "./buffer_store.ts";
import { isMeta, joinBlocks, skipMessages } from "./buffer_store.ts";
import { Code } from "./deps.ts";

type Fs = typeof import("node:fs/promises");
type FileHandle = Awaited<ReturnType<Fs["open"]>>;

/** A file of records. */
interface Segment {
  readonly path: string;
  /** Position of its first item. */
  readonly start: number;
  bytes: number;
}

/** Where the next read begins, if it goes on where the last one ended. */
interface Cursor {
  readonly segment: Segment;
  readonly file: FileHandle;
  /** Byte of the segment at which a record begins, and the position of its first item. */
  at: number;
  position: number;
}

/** Opens the buffer in a folder, which is made if it is not there. @throws {SluiceError} `buffer`. */
export function openFileStore(folder: string, segmentBytes = BUFFER_SEGMENT_BYTES): Promise<BufferStore> {
  return asBufferError(`open the buffer ${folder}`, async () => {
    const fs = await import("node:fs/promises");
    await fs.mkdir(folder, { recursive: true });
    const unlock = await lockFile(fs, `${folder}/lock`);
    try {
      const { crc32 = slowCrc32 } = await import("node:zlib") as { crc32?: Crc32 };
      const store = new FileStore(fs, folder, segmentBytes, crc32, unlock);
      await store.load();
      return store;
    } catch (error) {
      await unlock();
      throw error;
    }
  });
}

class FileStore implements BufferStore {
  meta: BufferMeta | undefined;
  end = 0;
  /** One after the other, by position; the last is the one that grows. */
  #segments: Segment[] = [];
  #writing: FileHandle | undefined;
  #cursor: Cursor | undefined;
  /** The last read. */
  #reading: Promise<unknown> = Promise.resolve();
  /** The last write of the record. */
  #metaWritten: Promise<void> = Promise.resolve();

  constructor(
    readonly fs: Fs,
    readonly folder: string,
    readonly segmentBytes: number,
    readonly crc32: Crc32,
    readonly unlock: () => Promise<void>,
  ) {}

  get first(): number {
    return this.#segments[0]?.start ?? this.end;
  }

  get bytes(): number {
    return this.#segments.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Finds what an earlier run has left. */
  async load(): Promise<void> {
    const { fs, folder } = this;
    const text = await fs.readFile(`${folder}/meta.json`, "utf8").catch((error) => {
      if (error.code !== "ENOENT") throw error;
    });
    if (text !== undefined) this.meta = parseMeta(text, folder);
    for (const name of (await fs.readdir(folder)).sort()) {
      const start = /^(\d{16})\.items$/.exec(name)?.[1];
      if (start === undefined) continue;
      const path = `${folder}/${name}`;
      this.#segments.push({ path, start: Number(start), bytes: (await fs.stat(path)).size });
    }
    if (this.meta === undefined && this.#segments.length > 0) {
      throw damagedError(`${folder}/meta.json`, "it is missing", folder);
    }
    this.end = Math.max(0, ...this.meta?.streams.map(({ committed }) => committed) ?? []);
    await this.#cutTail();
    if (this.end < (this.meta?.saved ?? 0)) {
      throw damagedError(this.#segments.at(-1)?.path ?? folder, `it ends with item ${this.end}`, folder);
    }
    await this.#syncFolder();
  }

  /** The segment written last may end in what was not finished; or it may have been begun and no more. */
  async #cutTail(): Promise<void> {
    const last = this.#segments.at(-1);
    if (last === undefined) return;
    const bytes = new Uint8Array(await this.fs.readFile(last.path));
    const begun = SEGMENT_HEADER.every((byte, i) => bytes[i] === byte);
    const { items, length, damaged } = scanTail(bytes, this.crc32);
    if (damaged || !begun && items > 0) throw damagedError(last.path, `byte ${begun ? length : 0}`, this.folder);
    if (!begun) {
      await this.fs.rm(last.path);
      this.#segments.pop();
      return await this.#cutTail();
    }
    const file = this.#writing = await this.fs.open(last.path, "r+");
    if (length < last.bytes) {
      await file.truncate(length);
      await file.datasync();
    }
    last.bytes = length;
    this.end = last.start + items;
  }

  append(blocks: readonly Block[]): Promise<void> {
    return asBufferError(`write to the buffer ${this.folder}`, async () => {
      let last = this.#segments.at(-1);
      const begins = last === undefined || last.bytes >= this.segmentBytes;
      if (last === undefined || begins) {
        await this.#writing?.close();
        last = { path: `${this.folder}/${String(this.end).padStart(16, "0")}.items`, start: this.end, bytes: 0 };
        this.#writing = await this.fs.open(last.path, "wx");
      }
      const pieces: Uint8Array<ArrayBuffer>[] = begins ? [SEGMENT_HEADER] : [];
      for (const block of blocks) pieces.push(recordHead(block, last.bytes, this.crc32), block.bytes);
      const { bytes } = joinBlocks(pieces.map((bytes) => ({ items: 0, bytes })));
      await writeAll(this.#writing!, bytes, last.bytes);
      await this.#writing!.datasync();
      if (begins) {
        await this.#syncFolder();
        this.#segments.push(last);
      }
      last.bytes += bytes.length;
      this.end = blocks.reduce((end, { items }) => end + items, this.end);
    });
  }

  read(position: number, maxBytes: number, until: number): Promise<Block> {
    const read = this.#reading.then(() =>
      asBufferError(`read the buffer ${this.folder}`, () => this.#read(position, maxBytes, until))
    );
    this.#reading = read.catch(() => {});
    return read;
  }

  async #read(position: number, maxBytes: number, until: number): Promise<Block> {
    const blocks: Block[] = [];
    while (blocks.length === 0) {
      const cursor = await this.#seek(position);
      const bytes = await this.#readRecords(cursor, maxBytes);
      let at = 0;
      while (cursor.position < until) {
        const record = readRecord(bytes, at, this.crc32);
        if (record === undefined) break;
        at = record.next;
        const skipped = Math.max(0, position - cursor.position);
        cursor.position += record.items;
        if (skipped >= record.items) continue;
        blocks.push({ items: record.items - skipped, bytes: skipMessages(record.bytes, skipped) });
      }
      if (at === 0) throw damagedError(cursor.segment.path, `byte ${cursor.at}`, this.folder);
      cursor.at += at;
    }
    return joinBlocks(blocks);
  }

  /** Where to read: where the last read ended, or from the beginning of the segment on. */
  async #seek(position: number): Promise<Cursor> {
    const segment = this.#segments.findLast(({ start }) => start <= position);
    if (segment === undefined) throw damagedError(this.folder, `it begins with item ${this.first}`, this.folder);
    const cursor = this.#cursor;
    if (cursor?.segment === segment && cursor.position <= position) return cursor;
    this.#cursor = undefined;
    await cursor?.file.close();
    const file = await this.fs.open(segment.path, "r");
    return this.#cursor = { segment, file, at: SEGMENT_HEADER.length, position: segment.start };
  }

  /** Bytes from the cursor on, of at least one record. */
  async #readRecords({ file, at, segment }: Cursor, maxBytes: number) {
    const left = segment.bytes - at;
    const bytes = await readAt(file, at, Math.min(left, Math.max(maxBytes, RECORD_BYTES)));
    const length = recordLength(bytes, 0) ?? 0;
    return length > bytes.length && length <= left ? await readAt(file, at, length) : bytes;
  }

  drop(position: number): Promise<void> {
    return asBufferError(`remove what is sent from the buffer ${this.folder}`, async () => {
      while (this.#segments.length > 1 && this.#segments[1].start <= position) {
        const [segment] = this.#segments.splice(0, 1);
        await this.fs.rm(segment.path, { force: true });
      }
    });
  }

  setMeta(meta: BufferMeta): Promise<void> {
    this.meta = meta;
    const text = JSON.stringify(meta, undefined, 2) + "\n";
    const path = `${this.folder}/meta.json`;
    const before = this.#metaWritten.catch(() => {});
    this.#metaWritten = asBufferError(`write ${path}`, async () => {
      await before;
      const file = await this.fs.open(`${path}.new`, "w");
      try {
        await file.writeFile(text);
        await file.datasync();
      } finally {
        await file.close();
      }
      await this.fs.rename(`${path}.new`, path);
      await this.#syncFolder();
    });
    return this.#metaWritten;
  }

  async close(leave: "all" | "record" | "nothing"): Promise<void> {
    await Promise.allSettled([this.#metaWritten, this.#reading]);
    await this.#writing?.close();
    await this.#cursor?.file.close();
    // The record last: items without one would be taken for damage.
    if (leave !== "all") { for (const { path } of this.#segments) await this.fs.rm(path, { force: true }); }
    if (leave === "nothing") await this.fs.rm(`${this.folder}/meta.json`, { force: true });
    await this.unlock();
  }

  /** A file is found again after a power cut only if its folder is synced. Windows has no such thing. */
  async #syncFolder(): Promise<void> {
    const folder = await this.fs.open(this.folder, "r").catch(() => undefined);
    await folder?.sync().catch(() => {});
    await folder?.close();
  }
}

function parseMeta(text: string, folder: string): BufferMeta {
  let meta: unknown;
  try {
    meta = JSON.parse(text);
  } catch {
    // It is damaged, as what has not the shape of one.
  }
  if (!isMeta(meta)) throw damagedError(`${folder}/meta.json`, "it is no record of a buffer", folder);
  return meta;
}

function damagedError(path: string, where: string, folder: string) {
  return bufferError(`${path} is damaged: ${where}. Remove ${folder} to give up what is in it`, {
    code: Code.DataLoss,
  });
}

async function writeAll(file: FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    done += (await file.write(bytes, done, bytes.length - done, at + done)).bytesWritten;
  }
}

async function readAt(file: FileHandle, at: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length;) {
    const { bytesRead } = await file.read(bytes, done, length - done, at + done);
    if (bytesRead === 0) return bytes.subarray(0, done);
    done += bytesRead;
  }
  return bytes;
}
