/**
 * Metrics of the store, by the names and units of OpenTelemetry. Deno exports them if it is started with OTEL_DENO=true;
 * else each of these is an instrument that does nothing.
 *
 * @module
 */
import { metrics } from "@opentelemetry/api";

const meter = metrics.getMeter("sluice");
const prefix = "sluice.kv.commit";

/** Upper bounds of buckets, in s: from what a local commit takes to KV_TIMEOUT_MS and beyond. */
const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

function histogram(name: string, unit: string, description: string, explicitBucketBoundaries: number[]) {
  return meter.createHistogram(`${prefix}.${name}`, { unit, description, advice: { explicitBucketBoundaries } });
}

function counter(name: string, unit: string, description: string) {
  return meter.createCounter(name, { unit, description });
}

/** What is recorded of commits (committer.ts), one atomic operation of KV each. */
export const commitMetrics = {
  operations: histogram("operations", "{operation}", "Operations in one commit", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
  mutations: histogram("mutations", "{mutation}", "Mutations in one commit", [
    1,
    2,
    5,
    10,
    20,
    50,
    100,
    200,
    500,
    1000,
  ]),
  size: histogram(
    "size",
    "By",
    "Bytes of keys and values in one commit",
    [1, 4, 16, 64, 128, 256, 512, 800].map((kib) => kib * 1024),
  ),
  /** Of one operation. */
  wait: histogram("wait", "s", "Time that an operation waited for its commit to begin", SECONDS),
  duration: histogram("duration", "s", "Time that a commit took, answered or not", SECONDS),
  conflicts: counter(`${prefix}.conflicts`, "{commit}", "Commits of which a check did not hold, as KV said"),
  failures: counter(`${prefix}.failures`, "{commit}", "Commits that KV did not answer, or failed"),
  /** Its attribute `outcome` is an Outcome. */
  settled: counter(`${prefix}.settled`, "{operation}", "Operations whose outcome their proof was read back for"),
};

/** What a proof that is read back says: it is there, it is not, or it could not be read. */
export type Outcome = "committed" | "refused" | "unknown";

export const damagedValues = counter("sluice.damaged", "{value}", "Stored values that were found to be damaged");
