/**
 * Writers with an offline buffer, as their callers see them.
 *
 * @module
 */
import type { Expired } from "./buffer.ts";
import type { ItemWriter, WriterOptions } from "./long_writer.ts";

/**
 * How a writer with an offline buffer sends. It tries for as long as a retry may help, also after a token was refused,
 * for another may be given; there is no deadline.
 */
export interface BufferedWriterOptions extends Omit<WriterOptions, "deadlineMs"> {
  /**
   * Name of the buffer: 1 to 100 of `A-Z a-z 0-9 . _ -`. In Deno and Node it is a folder in the client's `stateDir`, in
   * browsers it is in IndexedDB. A writer that is opened with the same name goes on with what an earlier one has left,
   * also that of a program or tab that was killed. One writer at a time can have it.
   */
  buffer: string;
  /** Bytes that it may take. When so many wait for the server, writers wait. Default: 256 MiB. */
  bufferBytes?: number;
  /**
   * What becomes of items that may be stored or not, when the server has forgotten the stream, 7 days after its last
   * commit: they are given up, or sent again on a new stream. Default: the writer ends with an error whose reason is
   * `lost`. Items that were never handed to a server go on a new stream in any case.
   */
  expired?: Expired;
}

/**
 * A writer with an offline buffer. What is written is saved after 100 ms, or when there is enough for a body chunk, and
 * is sent once it is saved. Disposal suspends it. A writer that cannot have its buffer - somebody else has it, it holds
 * items of another kind or for another server, it is damaged - ends with an error whose reason is `buffer`, which the
 * next call throws.
 */
export interface BufferedItemWriter<T, R> extends ItemWriter<T, R> {
  /** The stream that is being sent; empty before the buffer is open. */
  readonly streamId: string;
  /** How many items are written, now or before, and not known to be committed. */
  readonly waiting: number;
  /**
   * Resolves when all that has been written is saved here: it will be sent, whatever happens to this program. With
   * nothing written, it says whether the buffer could be opened.
   *
   * @throws {SluiceError} What ended the writer before that.
   */
  saved(): Promise<void>;
  /**
   * Ends the stream. Waits for the server, for as long as that takes; to end without it, suspend.
   *
   * @returns its receipt, when all of it is committed, also what earlier runs have left. Nothing is in the buffer then.
   * @throws {SluiceError} What ended the stream before that.
   */
  close(): Promise<R>;
  /**
   * Ends the writer and not the stream: all that was written is saved, and sent as long as the server answers, for up to
   * 5 s. A writer that is opened with the same buffer goes on with the rest.
   *
   * @returns how many items are left in the buffer.
   * @throws {SluiceError} What ended the writer before that; what was saved is in the buffer all the same.
   */
  suspend(): Promise<number>;
}
