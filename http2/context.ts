import type { MemoryBudget } from "./budget.ts";
import type { Clock } from "./clock.ts";
import type { Http2Limits } from "./limits.ts";
import type { Http2Handler, Http2Options } from "./types.ts";

/** What the connections of a server have in common. */
export interface ServerContext {
  readonly handler: Http2Handler;
  readonly limits: Http2Limits;
  readonly budget: MemoryBudget;
  readonly clock: Clock;
  readonly random: () => number;
  readonly onError: Http2Options["onError"];
  /** Value of the `date` field now. */
  date(): string;
}
