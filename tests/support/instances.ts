/**
 * Instances over one key-value store, whose commits a test sees, pauses and interferes with.
 *
 * @module
 */
import { Committer } from "../../store/kv/committer.ts";
import { type Kv, KvClient } from "../../store/kv/kv.ts";
import { FakeClock } from "./fake_clock.ts";

export type Commit = () => Promise<Deno.KvCommitResult | Deno.KvCommitError>;

/** What stands between an instance and KV, for the n-th commit of it. */
export type Interfere = (commit: Commit, n: number) => ReturnType<Commit>;

/** One instance, with a clock of its own. */
export function createInstance(db: Deno.Kv, interfere: Interfere = (commit) => commit()) {
  let commits = 0;
  const tapped: Kv = {
    get: db.get.bind(db),
    getMany: db.getMany.bind(db),
    list: db.list.bind(db),
    atomic: () => {
      const operation = db.atomic();
      const commit = operation.commit.bind(operation);
      operation.commit = () => interfere(commit, commits++);
      return operation;
    },
  };
  const clock = new FakeClock();
  /** Keys of values that could not be read. */
  const damaged: string[] = [];
  const kv = new KvClient(tapped, clock, (key) => damaged.push(key));
  return { kv, clock, committer: new Committer(kv), damaged };
}
