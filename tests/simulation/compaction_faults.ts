/**
 * Mistakes of compaction that the project does not make, to show that the simulation would find them.
 *
 * @module
 */
import { Lease } from "../../store/kv/lease.ts";
import type { DeliberateFault } from "./deliberate_faults.ts";
import { type OpenKv, withAtomic } from "./faulty_kv.ts";

export const COMPACTION_FAULTS: Readonly<Record<string, DeliberateFault>> = {
  "remove-before-run": {
    platform: (platform) => ({ ...platform, openKv: async (path) => removeBeforeRun(await platform.openKv(path)) }),
  },
  "compact-without-lease": { install: compactWithoutLease },
  "merge-past-deletions": {
    platform: (platform) => ({ ...platform, openKv: async (path) => mergePastDeletions(await platform.openKv(path)) }),
  },
  "stale-list-of-runs": {
    platform: (platform) => ({ ...platform, openKv: async (path) => staleRuns(await platform.openKv(path)) }),
  },
};

/** Removes what a run is made of, and then, in an atomic of its own, makes the run visible. */
function removeBeforeRun(kv: OpenKv): OpenKv {
  return withAtomic(kv, () => {
    const whole = kv.atomic(), first = kv.atomic(), second = kv.atomic();
    let isSwap = false;
    return {
      check(check) {
        whole.check(check);
        first.check(check);
      },
      set(key, value) {
        if (key[0] === "run") isSwap = true;
        whole.set(key, value);
        second.set(key, value);
      },
      sum: (key, n) => void whole.sum(key, n),
      delete(key) {
        whole.delete(key);
        first.delete(key);
      },
      async commit() {
        if (!isSwap) return await whole.commit();
        const result = await first.commit();
        return result.ok ? await second.commit() : result;
      },
    };
  });
}

/** Makes a run without asking whether something was deleted since it was begun. */
function mergePastDeletions(kv: OpenKv): OpenKv {
  return withAtomic(kv, () => {
    const operation = kv.atomic();
    const checks: Deno.AtomicCheck[] = [];
    let isSwap = false;
    return {
      check: (check) => void checks.push(check),
      set(key, value) {
        if (key[0] === "run") isSwap = true;
        operation.set(key, value);
      },
      sum: (key, n) => void operation.sum(key, n),
      delete: (key) => void operation.delete(key),
      commit() {
        for (const check of checks) if (!isSwap || check.key[0] !== "deletions") operation.check(check);
        return operation.commit();
      },
    };
  });
}

/** Everybody keeps house, whoever has the lease. */
function compactWithoutLease(): Disposable {
  const lease = Lease.prototype;
  const originals = ["take", "renew", "ensure", "check"].map((name) =>
    [name, Object.getOwnPropertyDescriptor(lease, name)!] as const
  );
  const value = () => Promise.resolve(true);
  for (const name of ["take", "renew", "ensure"]) Object.defineProperty(lease, name, { configurable: true, value });
  const nobody = { key: ["lease", "nobody"], versionstamp: null };
  Object.defineProperty(lease, "check", { configurable: true, get: () => nobody });
  return {
    [Symbol.dispose]() {
      for (const [name, original] of originals) Object.defineProperty(lease, name, original);
    },
  };
}

/** Readers see each day's runs as they saw them first, for as long as the process lives. */
function staleRuns(kv: OpenKv): OpenKv {
  const seen = new Map<string, Deno.KvEntry<unknown>[]>();
  return {
    get: (key) => kv.get(key),
    getMany: (keys) => kv.getMany(keys),
    close: () => kv.close(),
    atomic: () => kv.atomic(),
    list<T>(selector: Deno.KvListSelector, options?: Deno.KvListOptions) {
      const range = selector as { start?: Deno.KvKey; end?: Deno.KvKey };
      const isRuns = range.start?.[0] === "run" && range.start.length === 4 && options?.batchSize !== 1;
      if (!isRuns) return kv.list<T>(selector, options);
      const name = JSON.stringify([range.start, range.end]);
      return (async function* () {
        let entries = seen.get(name);
        if (entries === undefined) {
          entries = [];
          for await (const entry of kv.list<T>(selector, options)) entries.push(entry);
          seen.set(name, entries);
        }
        yield* entries as Deno.KvEntry<T>[];
      })() as unknown as Deno.KvListIterator<T>;
    },
  };
}
