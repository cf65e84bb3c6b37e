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

/** What `work` comes to; throws the call's reason if it is aborted first. The work may go on, unheard. */
export async function orAborted<T>({ signal }: Call, work: Promise<T>): Promise<T> {
  let abort = () => {};
  try {
    return await new Promise<T>((resolve, reject) => {
      work.then(resolve, reject);
      abort = () => reject(signal.reason);
      if (signal.aborted) abort();
      else signal.addEventListener("abort", abort);
    });
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
