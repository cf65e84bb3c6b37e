/**
 * What can be uploaded, seen as one thing: a name, a size if it is known, and pieces of bytes.
 *
 * @module
 */

/** A file to upload: a path (Deno, Node), a Blob or File, bytes, or a stream of bytes. */
export type FileSource =
  | string
  | Blob
  | Uint8Array
  | ReadableStream<Uint8Array>
  | AsyncIterable<Uint8Array>;

/** A source that has been opened. */
export interface OpenSource {
  /** What the source itself says; empty if it has no name. */
  name: string;
  /** What the source itself says; empty if it does not know. */
  contentType: string;
  /** Bytes; undefined if only reading it will tell. */
  size: number | undefined;
  /** Whether it can be read more than once, from any byte on. */
  seekable: boolean;
  /** What tells this source, as it is now, from others; undefined if nothing does. */
  fingerprint: string | undefined;
  /**
   * The bytes from `start` on, in pieces of any length. A piece may be used again by the source once the next is asked for.
   * To `return()` it also cancels what has not been read at all.
   */
  read(start: number): AsyncIterator<Uint8Array>;
  /** Whether it is another than when it was opened. */
  changed(): Promise<boolean>;
}

/** Bytes read from a file at once. */
const READ_BYTES = 256 * 1024;

/**
 * Opens a source. What it holds is released when its pieces have been iterated, wholly or not.
 *
 * @throws {TypeError} if it is none of the kinds there are.
 * @throws What the file system says of a path.
 */
export async function openSource(source: FileSource): Promise<OpenSource> {
  const unchanged = () => Promise.resolve(false);
  const nameless = { name: "", contentType: "", fingerprint: undefined, changed: unchanged };
  if (typeof source === "string") return await openPath(source);
  if (source instanceof Uint8Array) {
    return { ...nameless, size: source.length, seekable: true, read: (start) => once(source.subarray(start)) };
  }
  if (source instanceof Blob) {
    const file = source instanceof File ? source : undefined;
    return {
      ...nameless,
      name: file?.name ?? "",
      contentType: source.type,
      size: source.size,
      seekable: true,
      fingerprint: file && `file ${file.name} ${file.size} ${file.lastModified}`,
      read: (start) => new StreamPieces(source.slice(start).stream()),
    };
  }
  if (source instanceof ReadableStream) {
    return { ...nameless, size: undefined, seekable: false, read: () => new StreamPieces(source) };
  }
  if (typeof source === "object" && source !== null && Symbol.asyncIterator in source) {
    return { ...nameless, size: undefined, seekable: false, read: () => source[Symbol.asyncIterator]() };
  }
  throw new TypeError(`Cannot upload ${typeof source}: a source is a path, Blob, Uint8Array, or stream of bytes`);
}

/** node:fs/promises is there in Deno and in Node; a browser has no paths. */
async function openPath(path: string): Promise<OpenSource> {
  const { realpath, stat } = await import("node:fs/promises");
  const info = await stat(path);
  // What has no size is empty, or a pipe, or made as it is read (/proc): reading it will tell.
  const size = info.size > 0 ? info.size : undefined;
  return {
    name: path.slice(Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1),
    contentType: "",
    size,
    seekable: size !== undefined,
    fingerprint: size === undefined ? undefined : `path ${await realpath(path)} ${size} ${info.mtimeMs}`,
    read: (start) => readPath(path, start, size),
    async changed() {
      const now = await stat(path).catch(() => undefined);
      return now?.size !== info.size || now.mtimeMs !== info.mtimeMs;
    },
  };
}

/** At most up to `size`: a file that grows meanwhile (a log) is uploaded as it was when it was opened. */
async function* readPath(path: string, start: number, size = Infinity): AsyncGenerator<Uint8Array> {
  const { open } = await import("node:fs/promises");
  const file = await open(path);
  try {
    const buffer = new Uint8Array(READ_BYTES);
    // What cannot be read again has no places either.
    for (let at = start; at < size;) {
      const place = size === Infinity ? null : at;
      const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, size - at), place);
      if (bytesRead === 0) return;
      at += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  if (bytes.length > 0) yield bytes;
}

/**
 * The pieces of a stream: not every browser can iterate one by itself. A generator would do, but that it is to end it
 * hears only between two pieces, and a stream that stalls has no next one.
 */
class StreamPieces implements AsyncIterator<Uint8Array> {
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined;

  constructor(readonly stream: ReadableStream<Uint8Array>) {}

  async next(): Promise<IteratorResult<Uint8Array>> {
    const { done, value } = await (this.#reader ??= this.stream.getReader()).read();
    return done ? { done, value: undefined } : { done, value };
  }

  /** Also ends a read that waits. */
  async return(): Promise<IteratorResult<Uint8Array>> {
    await (this.#reader ?? this.stream).cancel();
    return { done: true, value: undefined };
  }
}

/**
 * The same bytes in pieces of exactly `length`, but for the last one; `begun` goes before them. Each is a buffer of its
 * own, so a piece can be kept while the next is read.
 *
 * @throws {TypeError} if a piece is not a Uint8Array.
 */
export async function* inPiecesOf(
  length: number,
  pieces: AsyncIterator<Uint8Array>,
  begun: Uint8Array = new Uint8Array(0),
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  let buffer = new Uint8Array(length);
  let filled = 0;
  for (let next: IteratorResult<Uint8Array> = { value: begun }; !next.done; next = await pieces.next()) {
    const { value } = next;
    if (!(value instanceof Uint8Array)) throw new TypeError(`Cannot upload a piece that is no Uint8Array: ${value}`);
    let rest: Uint8Array = value;
    while (rest.length > 0) {
      const part = rest.subarray(0, length - filled);
      buffer.set(part, filled);
      filled += part.length;
      rest = rest.subarray(part.length);
      if (filled === length) {
        yield buffer;
        buffer = new Uint8Array(length);
        filled = 0;
      }
    }
  }
  if (filled > 0) yield buffer.subarray(0, filled);
}
