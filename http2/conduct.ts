import { RateBudget } from "./budget.ts";
import { ConnectionError, ErrorCode } from "./errors.ts";
import type { Http2Limits } from "./limits.ts";

/** What a client may do at most with frames that cost it little. Each method throws once it does more. */
export class Conduct {
  readonly #resets: RateBudget;
  readonly #control: RateBudget;
  #strikes = 0;
  #lastPing = -Infinity;

  constructor(readonly limits: Http2Limits, now: number) {
    this.#resets = new RateBudget("resets (resetBurst)", limits.resetBurst, limits.resetsPerSecond, now);
    this.#control = new RateBudget("control frames (controlBurst)", limits.controlBurst, limits.controlPerSecond, now);
  }

  /** A request was reset: by the client, or by the server for a fault of the client. */
  reset(now: number): void {
    this.#resets.consume(1, now);
  }

  /** A frame that carries nothing. */
  control(now: number): void {
    this.#control.consume(1, now);
  }

  /** A PING of the client. */
  ping(now: number): void {
    this.control(now);
    const early = now - this.#lastPing < this.limits.pingMinIntervalMs;
    this.#lastPing = now;
    if (early && ++this.#strikes > this.limits.maxPingStrikes) {
      throw new ConnectionError(ErrorCode.ENHANCE_YOUR_CALM, "too_many_pings");
    }
  }

  /** We sent headers or data, which a client may answer with PINGs and WINDOW_UPDATEs. */
  responded(): void {
    this.#strikes = 0;
    this.#lastPing = -Infinity;
    this.#control.refill(2);
  }
}
