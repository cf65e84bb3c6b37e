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
  /** Aborted when the client is closed. */
  readonly closed: AbortSignal;
}
