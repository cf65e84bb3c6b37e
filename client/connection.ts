/**
 * The state of a client's connection, which can be watched.
 *
 * ```
 *            first call              an answer
 *   idle ----------------> connecting ------> ready
 *                            ^    |             |
 *                  next call |    | no endpoint |
 *                            |    v  answers    v
 *                          transient-failure <--+         close(), from any: shutdown
 * ```
 *
 * @module
 */

import { withResolvers } from "./deferred.ts";
import type { EndpointInfo } from "./endpoints.ts";

/** See the picture above. With several endpoints, it is that of the one which fares best. */
export type ConnectionState = "idle" | "connecting" | "ready" | "transient-failure" | "shutdown";

/** A client's connection. */
export interface Connection {
  readonly state: ConnectionState;
  readonly endpoints: readonly EndpointInfo[];
  /** The state now, and each one after it; a watcher that is slow misses some, never the last. Ends with `shutdown`. */
  watch(): AsyncIterable<ConnectionState>;
}

/** A value that changes, and tells. */
export class StateWatch {
  #state: ConnectionState = "idle";
  #changed = withResolvers<void>();

  constructor(readonly onChange: (state: ConnectionState) => void) {}

  get state(): ConnectionState {
    return this.#state;
  }

  set(state: ConnectionState): void {
    if (state === this.#state || this.#state === "shutdown") return;
    this.#state = state;
    this.#changed.resolve();
    this.#changed = withResolvers();
    this.onChange(state);
  }

  /** See {@linkcode Connection}. */
  async *watch(): AsyncGenerator<ConnectionState> {
    for (let last: ConnectionState | undefined;;) {
      const changed = this.#changed.promise;
      if (this.#state !== last) yield last = this.#state;
      else await changed;
      if (last === "shutdown") return;
    }
  }
}
