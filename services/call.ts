/**
 * What a service knows of the call it serves.
 *
 * @module
 */

export interface Call {
  /** Whose data it is. */
  readonly tenant: string;
  /** Aborts when the caller is gone or the deadline has passed. */
  readonly signal: AbortSignal;
  /** Whether the end of what came in is the caller's own and no cut, asked when it has come. By default it is. */
  readonly isEndCertain?: () => boolean;
}
