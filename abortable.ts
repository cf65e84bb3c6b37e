/**
 * Waiting that a signal ends: a client that neither sends nor ends would outlast every deadline.
 *
 * @module
 */

/** Waits for one promise after the other, each time until the signal aborts. */
export class AbortableWait {
  #reject: ((reason: unknown) => void) | undefined;

  constructor(private readonly signal: AbortSignal) {
    signal.addEventListener("abort", this.#onAbort);
  }

  /** What `promise` comes to; throws the signal's reason if that aborts first. */
  async for<T>(promise: Promise<T>): Promise<T> {
    if (this.signal.aborted) {
      // Nobody will ask how it ended.
      promise.catch(() => {});
      throw this.signal.reason;
    }
    try {
      // Not Promise.race(), which would add to what a promise of the signal holds each time.
      return await new Promise<T>((resolve, reject) => {
        this.#reject = reject;
        promise.then(resolve, reject);
      });
    } finally {
      this.#reject = undefined;
    }
  }

  /** Lets go of the signal. */
  end(): void {
    this.signal.removeEventListener("abort", this.#onAbort);
  }

  readonly #onAbort = () => this.#reject?.(this.signal.reason);
}

/** The items until they end; throws the signal's reason if that aborts. */
export async function* untilAborted<T>(items: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T> {
  const iterator = items[Symbol.asyncIterator]();
  const wait = new AbortableWait(signal);
  try {
    for (;;) {
      const result = await wait.for(iterator.next());
      if (result.done) return;
      yield result.value;
    }
  } finally {
    wait.end();
    // Not awaited: it may itself wait for the item that does not come.
    iterator.return?.().catch(() => {});
  }
}
