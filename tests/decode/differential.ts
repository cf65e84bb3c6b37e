/**
 * Compares a decoder with protobuf-es, message for message.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import type { BatchDecoder } from "../../decode/decoder.ts";
import { Random } from "../store/format/random.ts";
import { encode, encodeOddly, mutate, oracle, randomMessage } from "./wire_fuzz.ts";

/** A decoder, and how to compare what it makes with what protobuf-es does. */
export interface Subject<D extends DescMessage, B> {
  readonly desc: D;
  open(): BatchDecoder<B>;
  /** The items of a batch in order. */
  items(batch: B): readonly unknown[];
  /** The item that is to come of a message. */
  item(message: MessageShape<D>): unknown;
}

const MAX_BATCH = 50;

/**
 * Has `count` messages decoded by one decoder, random ones in canonical and odd encodings and broken ones, and throws at the
 * first difference. Returns how many of them were messages.
 */
export function differ<D extends DescMessage, B>(subject: Subject<D, B>, count: number, seed: number): number {
  const random = new Random(seed);
  const comparison = new Comparison(subject, `seed ${seed}`);
  let like: MessageShape<D> | undefined;
  for (let i = 0; i < count; i++) {
    const message = randomMessage(subject.desc, random, random.below(4) > 0 ? like : undefined);
    if (random.below(8) === 0) like = message;
    const kind = random.below(8);
    const whole = kind < 4 ? encode(subject.desc, message) : encodeOddly(subject.desc, message, random);
    const bytes = kind === 3 || kind >= 6 ? mutate(whole, random) : whole;
    // Behind a message that was cut stands what was cut off, as if another were to follow.
    const behind = random.below(2) === 0 ? whole.subarray(bytes.length) : random.bytes(random.below(12));
    comparison.add(bytes, behind);
    if (random.below(20) === 0) comparison.take();
  }
  comparison.take();
  return comparison.accepted;
}

/** Compares all that differs from a message in one byte, and much of what does so and is cut too. */
export function differNear<D extends DescMessage, B>(subject: Subject<D, B>, message: Uint8Array): number {
  const comparison = new Comparison(subject, "a message");
  comparison.add(message, new Uint8Array());
  for (let at = 0; at < message.length; at++) {
    for (let change = 0; change < 256; change++) {
      const bytes = Uint8Array.from(message);
      bytes[at] += change;
      comparison.add(bytes, message);
      if (change > 8 && change < 248 && change !== 128) continue;
      for (let end = 0; end < message.length; end++) comparison.add(bytes.subarray(0, end), bytes.subarray(end));
    }
  }
  comparison.take();
  return comparison.accepted;
}

/** One decoder beside protobuf-es. */
class Comparison<D extends DescMessage, B> {
  accepted = 0;
  readonly #decoder: BatchDecoder<B>;
  #expected: unknown[] = [];
  #count = 0;

  constructor(private readonly subject: Subject<D, B>, private readonly name: string) {
    this.#decoder = subject.open();
  }

  /** Has a message decoded that stands between other bytes. */
  add(message: Uint8Array, behind: Uint8Array): void {
    const meant = oracle(this.subject.desc, message);
    const taken = this.#attempt(message, behind);
    const describe = () => `message ${this.#count} of ${this.name}: ${message.toHex()}`;
    if (taken !== (meant !== undefined)) throw new Error(`${taken ? "accepted" : "refused"} ${describe()}`);
    if (meant !== undefined) {
      this.accepted++;
      this.#expected.push(this.subject.item(meant));
    }
    if (this.#decoder.count !== this.#expected.length) throw new Error(`counted wrongly after ${describe()}`);
    this.#count++;
    if (this.#expected.length >= MAX_BATCH) this.take();
  }

  /** Compares what was decoded since the last time. */
  take(): void {
    const items = this.subject.items(this.#decoder.take());
    assertEquals(items, this.#expected, `batch before message ${this.#count} of ${this.name}`);
    this.#expected = [];
  }

  #attempt(message: Uint8Array, behind: Uint8Array): boolean {
    const start = this.#count % 4;
    const end = start + message.length;
    const bytes = new Uint8Array(end + behind.length);
    bytes.set(message, start);
    bytes.set(behind, end);
    try {
      this.#decoder.add(bytes, start, end);
      return true;
    } catch (error) {
      if (!(error instanceof ConnectError) || error.code !== Code.InvalidArgument) throw error;
      return false;
    }
  }
}
