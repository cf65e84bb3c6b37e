/**
 * What the ingest path asks of a decoder: messages in one by one, batches out.
 *
 * @module
 */

/** Decodes messages of one type into batches. */
export interface BatchDecoder<B> {
  /**
   * Adds the message that stands in `bytes` from `start` up to `end`. The batch may keep views of `bytes`, which nobody
   * writes to any more. Throws INVALID_ARGUMENT, and adds nothing, if it is no such message.
   */
  add(bytes: Uint8Array, start: number, end: number): void;
  /** Messages that have been added since the last `take()`. */
  readonly count: number;
  /** About how many bytes of memory they take. */
  readonly size: number;
  /** What has been added since the last `take()`: valid until the next `add()`. */
  take(): B;
}
