/**
 * A lease: what only one instance may do, it does while it holds the lease. No clocks need to agree for that.
 *
 * ```
 *   free ----------------- take() ------------------> held --- renew() each LEASE_MS / 3 ---> held
 *    ^                                                 |
 *    |  release()                                      |  the holder dies, hangs or is paused
 *    +--------------------- held                       v
 *                                  others see the same versionstamp for LEASE_MS: take() -> held by another
 * ```
 *
 * Every renewal gives the value a new versionstamp, and versionstamps only rise. Whoever wants the lease takes it over
 * after it has itself seen one versionstamp unchanged for LEASE_MS of time that elapsed here (`Clock.elapsed`), which no
 * change of the hour can shorten.
 *
 * That makes it unlikely that two hold the lease, not impossible: a holder may be paused between any two instructions. What
 * makes it harmless is `check`: every atomic operation of the holder has it, so KV itself refuses what a former holder does.
 *
 * The value is the holder's id and how many values it has written, which makes each of them its own proof (committer.ts).
 *
 * @module
 */
import type { Clock } from "../../clock.ts";
import { LEASE_MS } from "../../limits.ts";
import { encodeValue, FORMAT } from "../format/value.ts";
import { type Committer, ConflictError } from "./committer.ts";
import { leaseKey } from "./keys.ts";
import type { Check, KvClient, MaybeEntry } from "./kv.ts";
import { openValue } from "./records.ts";

/** Another holds the lease by now. Not a failure: that one goes on with the work. */
export class LeaseLostError extends Error {
  override name = "LeaseLostError";
}

export interface LeaseOptions {
  readonly kv: KvClient;
  readonly committer: Committer;
  readonly clock: Clock;
  /** What may be done under it. */
  readonly name: string;
  /** Who wants it: an id that nobody else has, nor had. */
  readonly holder: string;
}

export class Lease {
  readonly #key: Deno.KvKey;
  readonly #holder: Uint8Array;
  /** Of the value that says it is ours; undefined if it is not, or if that is not known. */
  #versionstamp: string | undefined;
  #written = 0;
  #renewedAt = 0;
  #writing: Promise<unknown> = Promise.resolve();
  /** The value of another that was seen last, and since when. */
  #seen: { readonly versionstamp: string | null; readonly since: number } | undefined;

  constructor(private readonly o: LeaseOptions) {
    this.#key = leaseKey(o.name);
    this.#holder = new TextEncoder().encode(o.holder);
  }

  /** What every atomic operation of the holder checks. Throws a LeaseLostError if the lease is not held. */
  get check(): Check {
    if (this.#versionstamp === undefined) throw this.#lost();
    return { key: this.#key, versionstamp: this.#versionstamp };
  }

  /** Takes the lease, or takes it over, or renews it; false while another holds it. UNAVAILABLE if KV does not answer. */
  async take(): Promise<boolean> {
    const asked = this.o.clock.elapsed();
    const entry = await this.o.kv.get(this.#key);
    // One whose renewal had no answer is ours all the same. Should that renewal come late, our next check fails.
    if (entry.value !== null && !this.#isOurs(entry)) {
      this.#versionstamp = undefined;
      if (this.#seen?.versionstamp !== entry.versionstamp) {
        this.#seen = { versionstamp: entry.versionstamp, since: this.o.clock.elapsed() };
        return false;
      }
      if (asked - this.#seen.since < LEASE_MS) return false;
    }
    return await this.#write(entry.versionstamp);
  }

  /** Renews the lease if that is due. Throws a LeaseLostError if another has taken it. */
  async renew(): Promise<void> {
    const { versionstamp } = this.check;
    if (this.o.clock.elapsed() - this.#renewedAt < LEASE_MS / 3) return;
    if (!await this.#write(versionstamp)) throw this.#lost();
  }

  /** After an atomic operation whose checks did not hold: throws a LeaseLostError if it was the lease's. */
  async ensure(): Promise<void> {
    const { versionstamp } = this.check;
    const entry = await this.o.kv.get(this.#key);
    if (entry.versionstamp === versionstamp) return;
    this.#versionstamp = undefined;
    throw this.#lost();
  }

  /** Gives the lease back, if it is held. What is under way with it fails its check. */
  async release(): Promise<void> {
    // What is being written would be held by nobody.
    await this.#writing.catch(() => {});
    if (this.#versionstamp === undefined) return;
    const { check } = this;
    this.#versionstamp = undefined;
    await this.o.kv.atomic([check], [{ type: "delete", key: this.#key }]);
  }

  async #write(versionstamp: string | null): Promise<boolean> {
    // From before the write: whoever waits sees the new value later than that.
    const began = this.o.clock.elapsed();
    const value = this.#nextValue();
    this.#versionstamp = undefined;
    const writing = this.o.committer.commit({
      checks: [{ key: this.#key, versionstamp }],
      mutations: [{ type: "set", key: this.#key, value }],
      proof: { key: this.#key, value },
    }).then((written) => this.#versionstamp = written);
    this.#writing = writing;
    try {
      await writing;
    } catch (error) {
      if (error instanceof ConflictError) return false;
      throw error;
    }
    this.#renewedAt = began;
    return true;
  }

  #nextValue(): Uint8Array {
    const payload = new Uint8Array(4 + this.#holder.length);
    new DataView(payload.buffer).setUint32(0, ++this.#written);
    payload.set(this.#holder, 4);
    return encodeValue(FORMAT.lease, 0, payload);
  }

  #isOurs(entry: MaybeEntry): boolean {
    // A damaged one is somebody's who renews it, or nobody's: either shows.
    const payload = this.o.kv.decodeOrSkip(entry, () => openValue(FORMAT.lease, 0, entry.value));
    return payload !== undefined && new TextDecoder().decode(payload.subarray(4)) === this.o.holder;
  }

  #lost(): LeaseLostError {
    return new LeaseLostError(`Another instance has the lease for ${this.o.name}`);
  }
}
