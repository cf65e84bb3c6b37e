/**
 * Virtual time: a queue of events. An event runs, then everything that follows from it without waiting for another, and
 * only then the next. Events of the same moment run in an order that the seed chooses.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import type { Random } from "./random.ts";

interface Event {
  readonly at: number;
  /** Order among events of the same moment. */
  readonly rank: number;
  /** undefined: cancelled. */
  run: (() => void) | undefined;
}

/** All microtasks that wait run before a turn of the event loop, however many follow from them. */
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

export class Scheduler {
  /** A binary heap. */
  readonly #heap: Event[] = [];
  #now: number;
  #events = 0;

  /** @param start ms since the epoch. */
  constructor(private readonly random: Random, start: number) {
    this.#now = start;
  }

  /** True time, ms since the epoch: what no machine knows. */
  get now(): number {
    return this.#now;
  }

  /** How many events have run. */
  get events(): number {
    return this.#events;
  }

  /** Calls `run` once in `ms` (rounded up to whole ones); the returned function cancels it. */
  after(ms: number, run: () => void): () => void {
    const event: Event = { at: this.#now + Math.max(Math.ceil(ms), 0), rank: this.random.uint32(), run };
    this.#push(event);
    return () => {
      event.run = undefined;
    };
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.after(ms, resolve));
  }

  /** Runs events until `done` says so. Throws if none is left before, or after `maxEvents`: something waits for ever. */
  async run(done: () => boolean, maxEvents = Infinity): Promise<void> {
    await turn();
    for (const end = this.#events + maxEvents; !done();) {
      const event = this.#pop();
      if (!event) throw new Error("nothing happens any more");
      if (!event.run) continue;
      if (this.#events >= end) throw new Error(`no end after ${maxEvents} events`);
      this.#events++;
      this.#now = event.at;
      event.run();
      await turn();
    }
  }

  /** Runs `scenario`, and events until it ends; returns what it returns. */
  async complete<T>(scenario: () => Promise<T>, maxEvents?: number): Promise<T> {
    let outcome: { value: T } | { error: unknown } | undefined;
    scenario().then((value) => outcome = { value }, (error) => outcome = { error });
    await this.run(() => outcome !== undefined, maxEvents);
    if ("error" in outcome!) throw outcome.error;
    return outcome!.value;
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let i = heap.length;
    for (let parent; i > 0 && isBefore(event, heap[parent = (i - 1) >> 1]); i = parent) heap[i] = heap[parent];
    heap[i] = event;
  }

  #pop(): Event | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (!last || heap.length === 0) return last;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child + 1 < heap.length && isBefore(heap[child + 1], heap[child])) child++;
      if (child >= heap.length || !isBefore(heap[child], last)) break;
      heap[i] = heap[child];
      i = child;
    }
    heap[i] = last;
    return first;
  }
}

const isBefore = (a: Event, b: Event) => a.at < b.at || (a.at === b.at && a.rank < b.rank);
