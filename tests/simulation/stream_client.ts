/**
 * A client that sends one stream to its end in windows, whatever happens on the way, and remembers what it was told.
 *
 * @module
 */
import { Code, ConnectError } from "@connectrpc/connect";
import { StreamKind, StreamState } from "../../gen/sluice/v1/stream_pb.ts";
import type { StreamCall } from "../../store/stream_types.ts";
import { retryInfo } from "../support/wire.ts";
import { call, type Incoming, NoAnswerError } from "./network.ts";
import type { Node } from "./node.ts";
import type { World } from "./world.ts";

export const TENANT = "t";
/** How long after the last fault a client may take to finish, ms. */
const CALM_PATIENCE = 30 * 60_000;

/** A receipt as far as all kinds have it in common. */
export interface Answer {
  readonly committed: number;
  readonly finished: boolean;
  /** What the receipt of a finished stream says, as text, but for what may differ from one try to the next. */
  readonly result: string;
}

/** How a kind of stream is sent. */
export interface Sending {
  readonly kind: StreamKind;
  readonly id: string;
  /** ms since the epoch. */
  readonly beganAt: number;
  /** Items, or bytes. */
  readonly total: number;
  /** Items of the largest window. */
  readonly largest: number;
  /** What the receipt of the finished stream must say. */
  readonly expected: string;
  send(incoming: Incoming, stream: StreamCall, from: number, to: number, isLast: boolean): Promise<Answer>;
}

interface Attempt {
  ended: boolean;
  succeeded: boolean;
}

export class StreamClient {
  /** How many items, from the beginning, have been on their way. */
  sent = 0;
  /** How far a node has said that the stream is durable. */
  acknowledged = 0;
  outcome: "open" | "finished" | "refused" | "given up" = "open";
  calls = 0;
  /** How many calls the client makes before it gives up. */
  readonly #mostCalls: number;
  readonly #attempts: Attempt[] = [];
  readonly #endStyle: "always" | "with the last" | "alone";
  #node: Node;

  constructor(
    private readonly world: World,
    private readonly nodes: readonly Node[],
    readonly sending: Sending,
    private readonly options: {
      /** Whether nodes may refuse the stream for its age: their clocks are set that far. */
      readonly mayBeRefused: boolean;
      /** Whether the client may lose interest. */
      readonly mayGiveUp: boolean;
      violation(what: string): void;
    },
  ) {
    this.#endStyle = world.random.pick(["always", "with the last", "with the last", "alone"]);
    this.#node = world.random.pick(nodes);
    this.#mostCalls = options.mayGiveUp && world.random.chance(0.1) ? world.random.between(1, 8) : Infinity;
  }

  /** Sends the stream. Never throws: what must not happen is a violation. */
  async run(): Promise<void> {
    const { scheduler, random, faults } = this.world;
    let committed = 0;
    let failures = 0;
    while (this.outcome === "open") {
      if (this.calls >= this.#mostCalls) {
        this.outcome = "given up";
        return;
      }
      const from = random.chance(0.1) ? random.between(0, committed) : committed;
      const to = Math.min(this.sending.total, from + Math.ceil(this.sending.largest ** random.next()));
      if (faults.happens("call.doubled")) {
        const other = random.pick(this.nodes);
        scheduler.after(random.between(0, 50), () => void this.#window(other, from, to).catch(() => {}));
      }
      try {
        const answer = await this.#window(this.#node, from, to);
        committed = answer.committed;
        failures = 0;
        if (answer.finished) this.outcome = "finished";
      } catch (error) {
        if (!this.#mayTryAgain(error, "sends")) return;
        await this.#backOff(failures++);
        const found = await this.#ask();
        if (found === undefined) return;
        committed = found;
      }
    }
    if (random.chance(0.3)) await this.#replay();
  }

  /** One call with all of it, as if nothing had been sent before. Rejects with what it is told. */
  async sendFromBeginning(): Promise<void> {
    await this.#window(this.world.random.pick(this.nodes), 0, this.sending.total);
  }

  /** One call, with what stands from `from` up to `to`. */
  async #window(node: Node, from: number, to: number): Promise<Answer> {
    const { sending } = this;
    this.sent = Math.max(this.sent, to);
    this.calls++;
    const isLast = to === sending.total && (this.#endStyle !== "alone" || from === to);
    const end = isLast || this.#endStyle === "always" ? sending.total : undefined;
    const { acknowledged } = this;
    const attempt: Attempt = { ended: false, succeeded: false };
    const others = this.#attempts.filter(({ ended, succeeded }) => !ended || !succeeded);
    const before = this.#attempts.length;
    this.#attempts.push(attempt);
    try {
      const answer = await call(this.world, node, async (incoming) => {
        const stream = { id: sending.id, beganAt: sending.beganAt, start: from, end };
        try {
          const served = await sending.send(incoming, stream, from, to, isLast);
          attempt.succeeded = true;
          return served;
        } finally {
          attempt.ended = true;
        }
      });
      this.#learn(answer.committed, acknowledged, "a receipt");
      if (answer.finished && answer.result !== sending.expected) {
        this.#violation(`the receipt says ${answer.result} where ${sending.expected} is right`);
      }
      return answer;
    } catch (error) {
      const isAborted = error instanceof ConnectError && error.code === Code.Aborted;
      if (isAborted && others.length === 0 && this.#attempts.length === before + 1) {
        this.#violation(`told of another call where there is none: ${error.message}`);
      }
      throw error;
    }
  }

  /** How far the stream is, as some node knows it; undefined if this client has to give up. */
  async #ask(): Promise<number | undefined> {
    const { sending } = this;
    for (let failures = 0;;) {
      const { acknowledged } = this;
      try {
        const { stream } = await call(this.world, this.#node, ({ open, signal }) => {
          const request = {
            $typeName: "sluice.v1.GetStreamRequest" as const,
            kind: sending.kind,
            streamId: sending.id,
          };
          return open.streams.getStream(request, { tenant: TENANT, signal });
        });
        const committed = Number(stream?.committed ?? 0);
        this.#learn(committed, acknowledged, "GetStream");
        if (stream?.state === StreamState.EXPIRED) {
          this.#refuse("the upload has expired");
          return undefined;
        }
        return committed;
      } catch (error) {
        if (error instanceof ConnectError && error.code === Code.NotFound) {
          // A record that has expired is refused when the client goes on.
          if (!this.options.mayBeRefused) this.#learn(0, acknowledged, "GetStream, which knows of no such stream,");
          return this.options.mayBeRefused ? this.acknowledged : 0;
        }
        if (!this.#mayTryAgain(error, "asks")) return undefined;
        await this.#backOff(failures++);
      }
    }
  }

  /** Sends again what is finished: nothing must come of it but the same receipt. */
  async #replay(): Promise<void> {
    const { random } = this.world;
    const to = random.between(0, this.sending.total);
    try {
      const answer = await this.#window(random.pick(this.nodes), 0, to);
      if (answer.committed !== this.sending.total || answer.result !== this.sending.expected) {
        this.#violation(`finished and sent again, it has ${answer.committed}, and the receipt says ${answer.result}`);
      }
    } catch (error) {
      this.#mayTryAgain(error, "sends again");
    }
  }

  #learn(committed: number, acknowledged: number, source: string): void {
    if (committed < acknowledged) this.#violation(`${acknowledged} were committed, and ${source} says ${committed}`);
    if (committed > this.sent) this.#violation(`${this.sent} were sent, and ${source} says ${committed}`);
    this.acknowledged = Math.max(this.acknowledged, committed);
  }

  #mayTryAgain(error: unknown, what: string): boolean {
    if (this.world.calmSince !== undefined && this.world.scheduler.now > this.world.calmSince + CALM_PATIENCE) {
      this.#violation(`does not get on, the last time it ${what}: ${error}`);
      this.outcome = "refused";
      return false;
    }
    if (isRetryable(error)) return true;
    if (this.options.mayBeRefused && error instanceof ConnectError && error.code === Code.FailedPrecondition) {
      this.#refuse(error.message);
    } else {
      this.#violation(`${what}, and is told: ${error instanceof Error ? error.stack : error}`);
      this.outcome = "refused";
    }
    return false;
  }

  #refuse(why: string): void {
    if (!this.options.mayBeRefused) this.#violation(`is refused: ${why}`);
    this.world.note(this.sending.id, `refused: ${why}`);
    this.outcome = "refused";
  }

  async #backOff(failures: number): Promise<void> {
    const { random, scheduler } = this.world;
    this.#node = random.pick(this.nodes);
    await scheduler.sleep(random.next() * Math.min(2000, 50 * 2 ** failures));
  }

  #violation(what: string): void {
    this.options.violation(`stream ${StreamKind[this.sending.kind]} ${this.sending.id}: ${what}`);
  }
}

function isRetryable(error: unknown): boolean {
  if (error instanceof NoAnswerError) return true;
  if (!(error instanceof ConnectError)) return false;
  if (error.code === Code.ResourceExhausted) return retryInfo(error) !== undefined;
  return [Code.Unavailable, Code.Aborted, Code.DeadlineExceeded, Code.Canceled].includes(error.code);
}
