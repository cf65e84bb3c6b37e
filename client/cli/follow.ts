/**
 * Lines of a file that grows, across both ways in which logs are rotated.
 *
 * - Renamed (`app.log` becomes `app.log.1`, and a new `app.log` begins): the old file stays open and is read until its
 *   writer has been silent for a while, for writers go on with it until they are told. No line is lost.
 * - Copied and truncated (`copytruncate`): what of the old content was not read yet is read from the copy, which is found
 *   by its beginning. What the writer writes between the copy and the truncation is in neither: copytruncate loses it.
 *
 * @module
 */
import { setTimeout as sleep } from "node:timers/promises";
import { findFile, type OpenFile, openFile, openNewer, type Position } from "./follow_files.ts";

/** How often a file is looked at that has no more, ms: so late is a line at the most, and a look costs two system calls. */
const POLL_MS = 100;

/** How long a file that was renamed must have been silent before it is left, ms: so long may its writer take to go on. */
const SILENCE_MS = 2000;

/** Bytes that are read at once; also the size of the buffer unless a line is longer. */
const READ_BYTES = 64 * 1024;

/** Bytes of a line at which it is handed over in parts, so that whoever reads it finds it too long. */
const MAX_LINE_BYTES = 4 * 1024 * 1024;

/** Reads a file on and on. It is not to be asked for two lines at once. */
export class Follower implements AsyncDisposable {
  #file: OpenFile | undefined;
  /** What has been seen at the path since, oldest first. */
  #newer: OpenFile[] = [];
  #buffer = new Uint8Array(READ_BYTES);
  #begin = 0;
  #end = 0;
  /** Up to here there is no line end. */
  #searched = 0;
  #silentSince = performance.now();
  /** A line that was found and not taken yet. */
  #ready: Uint8Array | undefined;
  /** Bytes in the file of the line that was found last: one that does not end there is longer. */
  #length = 0;

  private constructor(readonly path: string, readonly signal: AbortSignal) {}

  /**
   * Opens a file where it was left, or at its beginning, or at its end. It need not be there yet.
   *
   * @returns it, and whether what was left was found.
   */
  static async open(
    path: string,
    signal: AbortSignal,
    from: Position | "begin" | "end",
  ): Promise<{ follower: Follower; found: boolean }> {
    const follower = new Follower(path, signal);
    let found = true;
    if (typeof from === "object" && from.head !== "") {
      const files = await findFile(path, from);
      found = files.length > 0;
      [follower.#file, ...follower.#newer] = files;
    }
    if (follower.#file === undefined) {
      follower.#file = await openFile(path);
      if (from === "end" && follower.#file !== undefined) await follower.#file.toEnd();
    }
    return { follower, found };
  }

  /** Whether there is a file; if not, it is waited for. */
  get isOpen(): boolean {
    return this.#file !== undefined;
  }

  /** Where the next line begins; what is needed to find it again. */
  get position(): Position {
    if (this.#file === undefined) return { head: "", offset: 0 };
    const unread = this.#end - this.#begin + (this.#ready === undefined ? 0 : this.#length);
    return { head: this.#file.head, offset: this.#file.offset - unread };
  }

  /** Resolves when there is a line, and so a position that can be found again; false if there will be none. */
  async ready(): Promise<boolean> {
    this.#ready ??= await this.next(Infinity);
    return this.#ready !== undefined;
  }

  /**
   * The next line with its "\n"; undefined if there is none until `until`. The last of a file that was left gets one if it
   * has none, and what is too long comes in parts.
   */
  async next(until: number): Promise<Uint8Array | undefined> {
    const ready = this.#ready;
    this.#ready = undefined;
    if (ready !== undefined) return ready;
    while (!this.signal.aborted) {
      const line = this.#line();
      if (line !== undefined) return line;
      if (await this.#fill()) continue;
      const left = await this.#leaveFile();
      if (left === "last line") return this.#lastLine();
      if (left === "other file") continue;
      const patience = until - performance.now();
      if (patience <= 0) return undefined;
      await sleep(Math.min(POLL_MS, patience), undefined, { signal: this.signal }).catch(() => {});
    }
    return undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const file of [this.#file, ...this.#newer]) await file?.close();
    this.#file = undefined;
  }

  #line(): Uint8Array | undefined {
    const at = this.#buffer.subarray(0, this.#end).indexOf(0x0a, this.#searched);
    this.#searched = this.#end;
    if (at === -1 && this.#end - this.#begin < MAX_LINE_BYTES) return undefined;
    return this.#take(at === -1 ? this.#end : at + 1);
  }

  #take(end: number): Uint8Array {
    const line = this.#buffer.slice(this.#begin, end);
    this.#length = line.length;
    this.#begin = this.#searched = end;
    return line;
  }

  /** What has begun and will not go on. Without an end, the first line of the next file would be a part of it. */
  #lastLine(): Uint8Array {
    const rest = this.#take(this.#end);
    const line = new Uint8Array(rest.length + 1);
    line.set(rest);
    line[rest.length] = 0x0a;
    return line;
  }

  /** Reads on; false if there is no more, or the file is not what it was. */
  async #fill(): Promise<boolean> {
    if (this.#file === undefined || !await this.#file.isSame()) return false;
    if (this.#begin > 0) {
      this.#buffer.copyWithin(0, this.#begin, this.#end);
      this.#end -= this.#begin;
      this.#searched -= this.#begin;
      this.#begin = 0;
    }
    if (this.#end === this.#buffer.length) {
      const larger = new Uint8Array(2 * this.#buffer.length);
      larger.set(this.#buffer);
      this.#buffer = larger;
    }
    const length = await this.#file.read(this.#buffer.subarray(this.#end));
    this.#end += length;
    if (length > 0) this.#silentSince = performance.now();
    return length > 0;
  }

  /** Looks whether the file has been rotated. When it is time to leave it, its last line comes first if it has no end. */
  async #leaveFile(): Promise<"last line" | "other file" | undefined> {
    const hasBegun = this.#begin < this.#end;
    const file = this.#file;
    const latest = this.#newer.at(-1) ?? file;
    if (latest === undefined || !await latest.isAt(this.path)) {
      // There may have been several rotations since.
      this.#newer.push(...await openNewer(this.path, latest?.inode));
    }
    // One that waits may be truncated too: by what is known of it, its copy is found when it is its turn.
    for (const waiting of this.#newer) await waiting.isSame();
    if (file !== undefined && !await file.isSame()) {
      // Truncated: the path has it again from the beginning, and what was not read is in the copy.
      const copies = await findFile(this.path, { head: file.head, offset: file.offset });
      // Without a copy, a line that had been begun will not go on.
      if (copies.length === 0 && hasBegun) return "last line";
      await this.#replace(copies.length > 0 ? copies : [...await opened(this.path), ...this.#newer]);
      return "other file";
    }
    if (this.#newer.length === 0) return undefined;
    const isSilent = performance.now() - this.#silentSince >= SILENCE_MS;
    if (file !== undefined && !isSilent && !await file.isOlderThan(SILENCE_MS)) return undefined;
    if (hasBegun) return "last line";
    await this.#replace(this.#newer);
    return "other file";
  }

  /** Goes on with other files: these instead of all that are open. */
  async #replace(files: OpenFile[]): Promise<void> {
    for (const old of [this.#file, ...this.#newer]) if (old !== undefined && !files.includes(old)) await old.close();
    [this.#file, ...this.#newer] = files;
    this.#silentSince = performance.now();
  }
}

async function opened(path: string): Promise<OpenFile[]> {
  const file = await openFile(path);
  return file === undefined ? [] : [file];
}
