/**
 * Verifies everything in a store against everything: each value in KV by itself and with what it names, and every byte of
 * every blob. Only reads, in bounded memory, and alongside servers: what looks wrong while they move on is judged again,
 * and is a fault only if nothing of what the judgement has read has moved by its end.
 *
 * @module
 */
import { Code, ConnectError } from "@connectrpc/connect";
import { DamagedError, decodeValue } from "../format/value.ts";
import { blobKey } from "../kv/keys.ts";
import { type Counts, noCounts } from "./counts.ts";
import type { CheckOptions, Fault } from "./judge.ts";
import { COUNT_KIND, COUNT_PARTS, hasShape, KINDS } from "./kinds.ts";
import { judgeStreamCount } from "./streams.ts";
import { type AnyEntry, bytesOf, keyText, View } from "./view.ts";

export type { CheckOptions } from "./judge.ts";
export type { Counts } from "./counts.ts";

/** Something that is not as it should be. */
export interface Finding {
  /** The key in KV, its parts joined by slashes; of a piece `BLOB.EPOCH`. */
  readonly key: string;
  readonly what: string;
  /** Whether it is only something that nobody needs, which the sweep takes. */
  readonly garbage: boolean;
}

/** How often something that looks wrong and moves is looked at. */
const TRIES = 5;

/**
 * Checks a store, naming what it finds as it finds it.
 *
 * @throws {ConnectError} UNAVAILABLE if a store cannot be read.
 */
export async function checkStore(options: CheckOptions, onFinding: (finding: Finding) => void): Promise<Counts> {
  const { kv, blobs } = options;
  const counts = noCounts();
  const report = (key: string, { what, garbage = false }: Fault) => {
    counts[garbage ? "garbage" : "faults"]++;
    onFinding({ key, what, garbage });
  };
  for await (const page of kv.pages({ prefix: [] })) {
    for (const entry of page) {
      counts.values++;
      for (const fault of await judgeUntilStill(options, entry, counts)) report(keyText(entry.key), fault);
    }
  }
  for await (const { blobId, epoch } of blobs.list()) {
    // A claim is written before its piece, so a piece without one is garbage whenever it is seen.
    if ((await kv.get(blobKey(blobId))).value !== null) continue;
    report(`${blobId}.${epoch}`, { what: "nobody claims this piece", garbage: true });
  }
  return counts;
}

/** What is wrong with an entry at a moment at which nothing of what that depends on moved. */
async function judgeUntilStill(options: CheckOptions, entry: AnyEntry, counts: Counts): Promise<readonly Fault[]> {
  let seen = entry;
  for (let tries = 0; tries < TRIES; tries++) {
    const view = new View(options.kv, seen);
    const own = noCounts();
    const faults = await judge(options, seen, view, own);
    if (faults.length === 0 || await view.stands()) {
      for (const name of Object.keys(own) as (keyof Counts)[]) counts[name] += own[name];
      return faults;
    }
    seen = await options.kv.get(entry.key);
    // It is gone, and so is what was wrong with it.
    if (seen.value === null) return [];
  }
  counts.restless++;
  return [];
}

async function judge(options: CheckOptions, entry: AnyEntry, view: View, counts: Counts): Promise<readonly Fault[]> {
  const faults: Fault[] = [];
  try {
    for await (const fault of judging(options, entry, view, counts)) faults.push(fault);
  } catch (error) {
    const isDamage = error instanceof DamagedError || (error instanceof ConnectError && error.code === Code.DataLoss);
    if (!isDamage) throw error;
    faults.push({ what: error instanceof ConnectError ? error.rawMessage : error.message });
  }
  return faults;
}

async function* judging(options: CheckOptions, entry: AnyEntry, view: View, counts: Counts): AsyncGenerator<Fault> {
  const [first] = entry.key;
  if (first === COUNT_KIND) {
    if (hasShape(entry.key, COUNT_PARTS)) yield* judgeStreamCount({ options, entry });
    else yield { what: "its key is none of ours" };
    return;
  }
  const kind = typeof first === "string" && Object.hasOwn(KINDS, first) ? KINDS[first] : undefined;
  if (!kind || !hasShape(entry.key, kind.parts)) {
    yield { what: "its key is none of ours" };
    return;
  }
  const { format, expires, payload } = decodeValue(bytesOf(entry.value));
  if (!kind.formats.includes(format)) {
    yield { what: `its format is ${format}, and one of ${kind.formats.join(", ")} belongs under its key` };
    return;
  }
  if (!kind.judge) return;
  yield* kind.judge({ options, entry, key: entry.key, payload, expires, view, counts });
}
