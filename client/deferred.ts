/**
 * Promises that are settled from outside.
 *
 * @module
 */

/** A promise, and what settles it. */
export interface Deferred<T> {
  promise: Promise<T>;
  resolve(value: T | PromiseLike<T>): void;
  reject(reason?: unknown): void;
}

/** As Promise.withResolvers(), which Node 20 and browsers of 2023 do not have. */
export function withResolvers<T>(): Deferred<T> {
  let resolve!: Deferred<T>["resolve"];
  let reject!: Deferred<T>["reject"];
  const promise = new Promise<T>((settle, fail) => {
    resolve = settle;
    reject = fail;
  });
  return { promise, resolve, reject };
}

/**
 * Waits for one promise after the other, until it is ended. A race between each of them and one promise for the end would
 * hold on to what all of them have brought.
 */
export class EndableWait {
  #ended = false;
  #end = () => {};

  /** What the promise brings; undefined once the wait has ended. */
  for<T>(work: Promise<T>): Promise<T | undefined> {
    return new Promise((resolve, reject) => {
      if (this.#ended) resolve(undefined);
      this.#end = () => resolve(undefined);
      work.then(resolve, reject);
    });
  }

  /** Ends the wait that is under way, and all that come. */
  end(): void {
    this.#ended = true;
    this.#end();
  }
}
