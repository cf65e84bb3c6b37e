/**
 * Marks of what went wrong on the caller's side, so that it is told from what the network does.
 *
 * @module
 */

/** An item has not the shape of one; `cause` says why. */
export class ItemRefused extends Error {
  constructor(cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

/** A file cannot be read, or is another than when it was opened; `cause` says why. */
export class SourceFailed extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
  }
}
