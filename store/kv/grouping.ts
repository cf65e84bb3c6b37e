/**
 * Collects what many calls write, and hands it on in groups: a group is committed when enough items wait, when the oldest
 * has waited long enough, or when a call waits for its receipt. While one group is being committed the next one fills, so
 * a thousand small calls cost few commits and few small segments; one that is full is packed meanwhile.
 *
 * @module
 */
import { ConnectError } from "@connectrpc/connect";
import type { Clock } from "../../clock.ts";
import {
  FLUSH_ITEMS,
  FLUSH_MS,
  GROUP_BYTES,
  GROUP_HOURS,
  GROUP_NEW_SERIES,
  GROUP_STREAMS,
  MAX_BUFFERED_BYTES,
} from "../../limits.ts";
import type { StreamPart } from "./group_commit.ts";
import type { StreamHandle } from "./stream_handle.ts";

/** A run of items of one call that is committed as one. */
export interface Contribution {
  readonly items: number;
  /** Raw bytes, about. */
  readonly bytes: number;
  /** Hours that the items lie in, at most. */
  readonly hours: number;
  /** Series that have to be registered with the items, at most. */
  readonly newSeries: number;
  /** What the items are in their stream, if they belong to one. */
  readonly part: StreamPart | undefined;
  /** Called once: the items are durable, or why they are not. */
  settle(error?: unknown): void;
}

export interface GroupingOptions<C extends Contribution> {
  readonly clock: Clock;
  /**
   * Makes a group durable, but for contributions whose stream has failed. MAX_COMMITS at a time: `turn` resolves when the
   * groups before it are settled, and only then may it be handed to KV, for a stream's items keep their order.
   */
  commit(group: readonly C[], turn: Promise<void>): Promise<void>;
}

/** Groups on their way at once: one that the store is busy with, one that is being packed. */
const MAX_COMMITS = 2;

export class Grouping<C extends Contribution> {
  #queue: C[] = [];
  #waitingItems = 0;
  #waitingBytes = 0;
  /** Of those that wait and those that are on their way. */
  #bytes = 0;
  /** Groups on their way. */
  #committing = 0;
  /** How many of the waiting contributions somebody waits for. */
  #urgent = 0;
  #cancelTimer: (() => void) | undefined;
  #waitingForRoom: (() => void)[] = [];
  /** Resolves when the group that was begun last is settled. */
  #turn: Promise<void> = Promise.resolve();

  constructor(private readonly options: GroupingOptions<C>) {}

  add(contribution: C): void {
    this.#queue.push(contribution);
    this.#waitingItems += contribution.items;
    this.#waitingBytes += contribution.bytes;
    this.#bytes += contribution.bytes;
    this.#run();
  }

  /** Commits all that waits now, without waiting for more. */
  urge(): void {
    this.#urgent = this.#queue.length;
    this.#run();
  }

  /** Resolves when there is room for more. */
  async room(): Promise<void> {
    while (this.#bytes > MAX_BUFFERED_BYTES) {
      await new Promise<void>((resolve) => this.#waitingForRoom.push(resolve));
    }
  }

  #run(): void {
    if (this.#due()) void this.#pump();
    else if (this.#committing === 0) this.#arm();
  }

  /** Whether to begin a group: beside another only a full one, for what waits a little longer makes fewer segments. */
  #due(): boolean {
    if (this.#queue.length === 0 || this.#committing === MAX_COMMITS) return false;
    if (this.#waitingItems >= FLUSH_ITEMS || this.#waitingBytes >= GROUP_BYTES) return true;
    return this.#urgent > 0 && this.#committing === 0;
  }

  /** A timer for the oldest contribution; not the hour, which an operator may set back. */
  #arm(): void {
    if (this.#cancelTimer || this.#queue.length === 0) return;
    this.#cancelTimer = this.options.clock.setTimer(FLUSH_MS, () => {
      this.#cancelTimer = undefined;
      this.urge();
    });
  }

  async #pump(): Promise<void> {
    this.#committing++;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    // What other calls add in this turn of the event loop joins the group.
    await Promise.resolve();
    if (this.#queue.length > 0) await this.#commitInTurn(this.#take());
    this.#committing--;
    for (const resolve of this.#waitingForRoom.splice(0)) resolve();
    this.#run();
  }

  async #commitInTurn(group: readonly C[]): Promise<void> {
    const turn = this.#turn;
    const settled = Promise.withResolvers<void>();
    this.#turn = settled.promise;
    await this.#commit(group, turn);
    settled.resolve();
  }

  async #commit(group: readonly C[], turn: Promise<void>): Promise<void> {
    let failure: { error: unknown } | undefined;
    try {
      await this.options.commit(group, turn);
    } catch (error) {
      // KV does not take it, as too large say. The others of the group are not to suffer for one.
      if (error instanceof TypeError && group.length > 1) {
        const half = group.length >> 1;
        await this.#commit(group.slice(0, half), turn);
        await this.#commit(group.slice(half), turn);
        return;
      }
      failure = { error };
    }
    // Nobody is to wait in line for a store that does not answer.
    const behind = failure?.error instanceof ConnectError ? this.#takeAll() : [];
    for (const contribution of [...group, ...behind]) {
      this.#bytes -= contribution.bytes;
      // What comes later of the stream would leave a gap.
      if (failure) contribution.part?.stream.fail(failure.error);
      contribution.settle(failure?.error ?? contribution.part?.stream.failure);
    }
  }

  /** The longest run of waiting contributions that one commit takes; at least one. */
  #take(): C[] {
    let bytes = 0, hours = 0, newSeries = 0, count = 0;
    const streams = new Set<StreamHandle>();
    for (const contribution of this.#queue) {
      bytes += contribution.bytes;
      hours += contribution.hours;
      newSeries += contribution.newSeries;
      if (contribution.part) streams.add(contribution.part.stream);
      const fits = bytes <= GROUP_BYTES && hours <= GROUP_HOURS && newSeries <= GROUP_NEW_SERIES &&
        streams.size <= GROUP_STREAMS;
      if (count > 0 && !fits) break;
      count++;
    }
    return this.#takeFirst(count);
  }

  #takeAll(): C[] {
    return this.#takeFirst(this.#queue.length);
  }

  #takeFirst(count: number): C[] {
    this.#urgent = Math.max(this.#urgent - count, 0);
    const group = this.#queue.splice(0, count);
    for (const { items, bytes } of group) {
      this.#waitingItems -= items;
      this.#waitingBytes -= bytes;
    }
    return group;
  }
}

/** The writer's side: counts a call's contributions until all are settled, and keeps the first failure. */
export class Pending {
  #open = 0;
  #failure: { error: unknown } | undefined;
  #waiters: (() => void)[] = [];

  /** Announces a contribution; call what it returns as its `settle`. */
  begin(): (error?: unknown) => void {
    this.#open++;
    return (error) => {
      this.#open--;
      if (error !== undefined) this.#failure ??= { error };
      if (this.#open === 0) { for (const resolve of this.#waiters.splice(0)) resolve(); }
    };
  }

  /** Throws the first failure, if there was one. */
  check(): void {
    if (this.#failure) throw this.#failure.error;
  }

  /** Resolves when everything is settled; throws the first failure. */
  async settled(): Promise<void> {
    if (this.#open > 0) await new Promise<void>((resolve) => this.#waiters.push(resolve));
    this.check();
  }
}
