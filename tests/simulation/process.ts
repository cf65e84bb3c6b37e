/**
 * A process: what runs our code, from its start until it crashes. It can be frozen at any moment, and crash at any moment:
 * then nothing that it waits for ever comes.
 *
 * @module
 */
import type { Clock } from "../../clock.ts";
import type { World } from "./world.ts";

/** The clock of a machine: it may be wrong, and be set. */
export class MachineClock {
  /** How far it is ahead of true time, ms. */
  offset = 0;

  constructor(private readonly world: World) {}

  now(): number {
    return this.world.scheduler.now + this.offset;
  }
}

/** How long what is done outside takes, ms. */
export interface Latency {
  /** Until it happens. */
  readonly there: number;
  /** From then until the process learns of it; Infinity: never. */
  readonly back: number;
}

export class Process implements Clock {
  #state: "running" | "frozen" | "crashed" = "running";
  /** What came while it was frozen. */
  #backlog: (() => void)[] = [];

  readonly #started: number;
  /** Requests that happen before it crashes. */
  #requestsLeft = Infinity;

  /** Called when it crashes. */
  onCrash = () => {};

  constructor(readonly world: World, readonly name: string, private readonly machine: MachineClock) {
    this.#started = world.scheduler.now;
  }

  get state(): "running" | "frozen" | "crashed" {
    return this.#state;
  }

  now(): number {
    return this.machine.now();
  }

  elapsed(): number {
    return this.world.scheduler.now - this.#started;
  }

  /** A timer counts true time, whatever is done to the clock. */
  setTimer(ms: number, fn: () => void): () => void {
    return this.after(ms, fn);
  }

  /** Calls `fn` in `ms`, if the process still runs; when it is resumed, if it is frozen. */
  after(ms: number, fn: () => void): () => void {
    let cancelled = false;
    const deliver = () => {
      if (cancelled || this.#state === "crashed") return;
      if (this.#state === "frozen") this.#backlog.push(deliver);
      else fn();
    };
    const cancel = this.world.scheduler.after(ms, deliver);
    return () => {
      cancelled = true;
      cancel();
    };
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.after(ms, resolve));
  }

  /**
   * Has something done outside: `effect` happens, whether the process is frozen by then or not; if it has crashed by then,
   * perhaps. The answer is what `effect` returns or throws. `what` goes into the trace with it, as `show` puts it.
   */
  request<T>(what: string, latency: Latency, effect: () => T, show: (value: T) => string = () => "ok"): Promise<T> {
    const { scheduler, random } = this.world;
    return new Promise<T>((resolve, reject) => {
      scheduler.after(latency.there, () => {
        if (this.#state === "crashed" && random.chance(0.5)) return;
        let answer: () => void;
        try {
          const value = effect();
          this.world.note(this.name, `${what}: ${show(value)}`);
          answer = () => resolve(value);
        } catch (error) {
          this.world.note(this.name, `${what}: ${error}`);
          answer = () => reject(error);
        }
        if (--this.#requestsLeft === 0) this.crash();
        if (latency.back !== Infinity) this.after(latency.back, answer);
      });
    });
  }

  /** Nothing of it runs until it is resumed; what it has sent off happens. */
  freeze(): void {
    if (this.#state !== "running") return;
    this.world.note(this.name, "frozen");
    this.#state = "frozen";
  }

  resume(): void {
    if (this.#state !== "frozen") return;
    this.world.note(this.name, "resumed");
    this.#state = "running";
    // Each an event of its own, in any order.
    for (const deliver of this.#backlog.splice(0)) this.world.scheduler.after(0, deliver);
  }

  /** Nothing of it ever runs again. */
  crash(): void {
    if (this.#state === "crashed") return;
    this.world.note(this.name, "crashed");
    this.#state = "crashed";
    this.#backlog = [];
    this.onCrash();
  }

  /** Crashes when so many requests have happened, before it learns of the last one. Infinity: it goes on. */
  crashAfter(requests: number): void {
    this.#requestsLeft = requests;
  }
}
