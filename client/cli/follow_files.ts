/**
 * The files that a log goes through, and how one is recognised: by the bytes that it begins with, since a rename leaves
 * them, a copy has them too, and a truncation takes them away.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { type FileHandle, open, readdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/** Bytes of a file by which it is recognised; logs begin with a time, so no two are alike. */
const HEAD_BYTES = 256;

/**
 * What follows the log's name in that of a rotated file: a number, a date, both, perhaps a time (`.1`, `-20261124`,
 * `.2026-11-24_10-00-00`, `-20261124-1732406400`), or `.old`. Whatever else is beside the log is another's, such as
 * `app.log.err`, or cannot be read as it is, such as `app.log.1.gz`.
 */
const ROTATED = /^(?:[._-]\d[\dTZ:._-]*|\.old)$/;

/** A place in a file that may have another name by now. */
export interface Position {
  /** The first bytes of the file, in hex; empty if there were none. */
  readonly head: string;
  /** Bytes from its beginning. */
  readonly offset: number;
}

/** A file that is being read. */
export class OpenFile {
  #head: Buffer<ArrayBuffer> = Buffer.alloc(0);

  constructor(readonly handle: FileHandle, readonly inode: bigint, public offset: number) {}

  get head(): string {
    return this.#head.toString("hex");
  }

  /** Whether what has been read of it is still in it. */
  async isSame(): Promise<boolean> {
    const { size } = await this.handle.stat();
    if (size < this.offset) return false;
    const head = Buffer.alloc(Math.min(HEAD_BYTES, size));
    const { bytesRead } = await this.handle.read(head, 0, head.length, 0);
    if (!head.subarray(0, bytesRead).subarray(0, this.#head.length).equals(this.#head)) return false;
    // It has grown: more of it is known from now on.
    if (bytesRead > this.#head.length) this.#head = head.subarray(0, bytesRead);
    return true;
  }

  /** Whether the path leads to it. */
  async isAt(path: string): Promise<boolean> {
    const info = await stat(path, { bigint: true }).catch(() => undefined);
    return info === undefined || info.ino === this.inode;
  }

  /** Whether it was last written to so long ago. */
  async isOlderThan(ms: number): Promise<boolean> {
    return Date.now() - (await this.handle.stat()).mtimeMs >= ms;
  }

  /** Reads on; returns the number of bytes, 0 if there are no more for now. */
  async read(into: Uint8Array): Promise<number> {
    const { bytesRead } = await this.handle.read(into, 0, into.length, this.offset);
    // What came since it was last looked at.
    if (this.offset === this.#head.length && this.offset < HEAD_BYTES) {
      this.#head = Buffer.concat([this.#head, into.subarray(0, bytesRead)]).subarray(0, HEAD_BYTES);
    }
    this.offset += bytesRead;
    return bytesRead;
  }

  /** Passes over all that is there; what follows begins a line, or goes on with one that was begun. */
  async toEnd(): Promise<void> {
    this.offset = (await this.handle.stat()).size;
    await this.isSame();
  }

  async close(): Promise<void> {
    await this.handle.close().catch(() => {});
  }
}

/** Opens a file at its beginning; undefined if there is none. */
export async function openFile(path: string, offset = 0): Promise<OpenFile | undefined> {
  let handle: FileHandle;
  try {
    handle = await open(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  const { ino } = await handle.stat({ bigint: true });
  const file = new OpenFile(handle, ino, offset);
  // So that it is recognised, whatever becomes of it before it is read.
  await file.isSame();
  return file;
}

/**
 * The file at or beside the path that has this position, and all that are newer, oldest first; none if it is gone. Of
 * several it is the newest: the others are copies that somebody made of it.
 */
export async function findFile(path: string, { head, offset }: Position): Promise<OpenFile[]> {
  const siblings = await siblingsOf(path);
  const begin = Buffer.from(head, "hex");
  for (let index = siblings.length - 1; index >= 0; index--) {
    if (!await hasPosition(siblings[index].path, begin, offset)) continue;
    const found = await openFile(siblings[index].path, offset);
    return found === undefined ? [] : [found, ...await openAll(siblings.slice(index + 1))];
  }
  return [];
}

/** The files that are newer than one that was at the path once, oldest first, up to that which is there now. */
export async function openNewer(path: string, inode: bigint | undefined): Promise<OpenFile[]> {
  const siblings = await siblingsOf(path);
  const index = siblings.findIndex((sibling) => sibling.inode === inode);
  return await openAll(index === -1 ? siblings.filter((sibling) => sibling.path === path) : siblings.slice(index + 1));
}

interface Sibling {
  readonly path: string;
  readonly inode: bigint;
  /** When it was last written to; that at the path itself is the newest whatever it says. */
  readonly mtime: number;
}

/** The log and its rotated files, oldest first. */
async function siblingsOf(path: string): Promise<Sibling[]> {
  const folder = dirname(path);
  const name = basename(path);
  const siblings: Sibling[] = [];
  for (const entry of await readdir(folder).catch(() => [])) {
    const isPath = entry === name;
    if (!isPath && !(entry.startsWith(name) && ROTATED.test(entry.slice(name.length)))) continue;
    const info = await stat(join(folder, entry), { bigint: true }).catch(() => undefined);
    if (!info?.isFile()) continue;
    const mtime = isPath ? Infinity : Number(info.mtimeNs);
    siblings.push({ path: isPath ? path : join(folder, entry), inode: info.ino, mtime });
  }
  return siblings.sort((a, b) => a.mtime < b.mtime ? -1 : 1);
}

async function openAll(siblings: readonly Sibling[]): Promise<OpenFile[]> {
  const files: OpenFile[] = [];
  for (const { path } of siblings) {
    const file = await openFile(path);
    if (file !== undefined) files.push(file);
  }
  return files;
}

async function hasPosition(path: string, begin: Buffer, offset: number): Promise<boolean> {
  const handle = await open(path).catch(() => undefined);
  if (handle === undefined) return false;
  try {
    const head = Buffer.alloc(begin.length);
    const { bytesRead } = await handle.read(head, 0, head.length, 0);
    return bytesRead === begin.length && head.equals(begin) && (await handle.stat()).size >= offset;
  } finally {
    await handle.close();
  }
}
