/**
 * What all calls of a client share.
 *
 * @module
 */
import type { Clock } from "./clock.ts";
import type { EndpointPool } from "./endpoints.ts";
import type { OnEvent } from "./events.ts";
import type { RateLimit } from "./rate.ts";
import type { RetryPolicy } from "./retry.ts";
import type { WayChoice } from "./way.ts";

export interface Core {
  readonly pool: EndpointPool;
  readonly retry: RetryPolicy;
  readonly way: WayChoice;
  readonly rate: RateLimit;
  readonly clock: Clock;
  readonly onEvent: OnEvent;
  /** How long a receipt may take, ms. */
  readonly callTimeoutMs: number;
  /** How long a stream, with all its retries, may take, ms. */
  readonly deadlineMs: number;
  /** The server, as its URLs: what is kept for it from one run to the next is not sent to another. */
  readonly server: string;
  /** A folder (Deno, Node) for what is kept from one run to the next. */
  readonly stateDir: string | undefined;
  /** Aborted when the client is closed. */
  readonly closed: AbortSignal;
}
