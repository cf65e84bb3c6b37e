/**
 * What a service knows of the call it serves.
 *
 * @module
 */
import { AbortableWait } from "../abortable.ts";
import type { StreamCall } from "../store/stream_types.ts";

export interface Call {
  /** Whose data it is. */
  readonly tenant: string;
  /** Aborts when the caller is gone or the deadline has passed. */
  readonly signal: AbortSignal;
  /** Whether the end of what came in is the caller's own and no cut, asked when it has come. By default it is. */
  readonly isEndCertain?: () => boolean;
  /** The stream that the call goes on with, if it names one. */
  readonly stream?: StreamCall;
}

/** What `work` comes to; throws the call's reason if it is aborted first. The work may go on, unheard. */
export async function orAborted<T>({ signal }: Call, work: Promise<T>): Promise<T> {
  const wait = new AbortableWait(signal);
  try {
    return await wait.for(work);
  } finally {
    wait.end();
  }
}
