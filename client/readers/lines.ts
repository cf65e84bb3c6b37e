/**
 * Lines of text that comes in pieces, for the readers.
 *
 * @module
 */

/**
 * Characters of a line, or of a CSV record, at the most. A server takes messages of 4 MiB, and no field of a point or
 * of a log entry comes near a million characters; a file without line ends must not be collected in memory.
 */
const MAX_LINE_CHARS = 1024 * 1024;

/** Bytes or text, in pieces cut anywhere: a file's stream, a response's body, standard input. */
export type TextSource = AsyncIterable<Uint8Array | string>;

/** What all readers can be told. */
export interface ReaderOptions {
  /** Characters of a line, or of a CSV record, at the most. Default: 1 Mi. */
  maxLineChars?: number;
  /** What the bytes are, as TextDecoder names it. Default: UTF-8. */
  encoding?: string;
  /**
   * Called for a line that cannot be understood, or is too long, which is then left out. By default, such a line ends the
   * reading. In CSV one that is too long always does: it may hold the end of a record, or the beginning of one.
   */
  onError?: (error: ReaderError) => void;
}

/** A line that cannot be understood: the message says which, and what is wrong with it. */
export class ReaderError extends Error {
  override name = "ReaderError";

  /** @param line Number of the line, from 1. */
  constructor(readonly line: number, readonly reason: string, options?: ErrorOptions) {
    super(`line ${line}: ${reason}`, options);
  }
}

/** A header that does not say what it must: without it no line can be understood. */
export class HeaderError extends ReaderError {
  override name = "HeaderError";
}

/** Complete lines without their "\n", and the number of the first of them, from 1. */
export interface Lines {
  lines: string[];
  first: number;
}

/**
 * The lines of a text, as many at once as a piece of it brings. The last line need not end; one that is empty is none.
 * Bytes that are not in the encoding become U+FFFD. A line that is too long is left out, or an empty one is in its place.
 *
 * @throws {ReaderError} if a line is too long, and there is no `onError`.
 * @throws {RangeError} if the encoding is unknown.
 */
export async function* readLines(source: TextSource, options: ReaderOptions = {}): AsyncGenerator<Lines> {
  const { maxLineChars = MAX_LINE_CHARS, encoding, onError } = options;
  const decoder = new TextDecoder(encoding);
  let rest = "";
  let first = 1;
  /** Inside a line that is too long: what comes is dropped up to its end. */
  let isDropping = false;
  const leaveOut = (line: number): void => {
    const error = new ReaderError(line, `must have at most ${maxLineChars} characters`);
    if (onError === undefined) throw error;
    onError(error);
  };
  for await (const piece of source) {
    // Of a character that bytes had begun before text came, there will be no more.
    let text = typeof piece === "string" ? decoder.decode() + piece : decoder.decode(piece, { stream: true });
    const end = text.indexOf("\n");
    if (isDropping) text = end === -1 ? "" : text.slice(end);
    if (end === -1) {
      rest += text;
    } else {
      isDropping = false;
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      if (first === 1) withoutMark(lines);
      let from = 0;
      for (let i = 0; i < lines.length; i++) {
        if (lines[i].length <= maxLineChars) continue;
        // What is before it is read, also if it ends the reading.
        yield { lines: lines.slice(from, i), first: first + from };
        leaveOut(first + i);
        from = i + 1;
      }
      yield { lines: lines.slice(from), first: first + from };
      first += lines.length;
    }
    if (rest.length > maxLineChars) {
      leaveOut(first);
      rest = "";
      isDropping = true;
    }
  }
  rest += decoder.decode();
  if (rest !== "" && !isDropping) yield { lines: first === 1 ? withoutMark([rest]) : [rest], first };
}

/** The line without the "\r" that some systems put before the "\n". */
export function withoutReturn(line: string): string {
  return line.endsWith("\r") ? line.slice(0, -1) : line;
}

/** The reason why a line of data cannot be taken as text, if there is one. */
export function assertDecoded(line: string): void {
  if (line.includes("\uFFFD")) throw new SyntaxError("has bytes that are not in the encoding");
}

/**
 * What `parse` makes of each line but blank ones; what it throws goes to `onError`, or ends the reading. `undefined`
 * stands for nothing.
 */
export async function* parseLines<T>(
  source: TextSource,
  options: ReaderOptions,
  parse: (line: string) => T | undefined,
): AsyncGenerator<T> {
  for await (const { lines, first } of readLines(source, options)) {
    for (let i = 0; i < lines.length; i++) {
      const line = withoutReturn(lines[i]);
      if (line.trim() === "") continue;
      const item = attempt(first + i, options, () => parse(line));
      if (item !== undefined) yield item;
    }
  }
}

/** What `parse` returns; what it throws becomes a {@linkcode ReaderError}. */
export function attempt<T>(line: number, { onError }: ReaderOptions, parse: () => T): T | undefined {
  try {
    return parse();
  } catch (cause) {
    const error = new ReaderError(line, cause instanceof Error ? cause.message : String(cause), { cause });
    if (onError === undefined) throw error;
    onError(error);
    return undefined;
  }
}

/** A text may begin with a byte order mark, which TextDecoder takes off bytes, and nobody off strings. */
function withoutMark(lines: string[]): string[] {
  if (lines[0].startsWith("\uFEFF")) lines[0] = lines[0].slice(1);
  return lines;
}
