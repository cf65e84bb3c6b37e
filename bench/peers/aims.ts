/**
 * What the project aims at, as ratios between two servers in one run.
 *
 * @module
 */
import type { Kind } from "./loads.ts";

export interface Aim {
  readonly work: string;
  readonly against: string;
  readonly kind: Kind;
  /** Servers of ours that are compared; see servers.ts. */
  readonly of: readonly string[];
  readonly to: string;
  /** A ratio of throughputs to reach; of p99 latencies, one to stay under. */
  readonly at: number;
  readonly latency?: true;
}

const MEMORY = ["sluice-memory"];
const DURABLE = ["sluice", "sluice-2"];
const GO = { against: "grpc-go in memory", to: "grpc-go" };
const SQLITE = { against: "grpc-go and SQLite", to: "grpc-go-sqlite" };

export const AIMS: readonly Aim[] = [
  { work: "10,000 points", kind: "points", of: MEMORY, ...GO, at: 2 },
  { work: "10,000 points", kind: "points", of: DURABLE, ...SQLITE, at: 2 },
  { work: "10,000 points", kind: "points", of: DURABLE, ...GO, at: 1 },
  { work: "10,000 logs", kind: "logs", of: MEMORY, ...GO, at: 1.5 },
  { work: "10,000 logs", kind: "logs", of: DURABLE, ...SQLITE, at: 2 },
  { work: "10 MiB file", kind: "file", of: DURABLE, ...GO, at: 1 },
  { work: "one point, p99", kind: "one", of: [...MEMORY, ...DURABLE], ...GO, at: 2, latency: true },
  {
    work: "10,000 points, Connect over HTTP/1.1",
    kind: "connect",
    of: ["sluice-deploy-memory", "sluice-deploy"],
    against: "connect-es on Deno.serve",
    to: "connect-es",
    at: 3,
  },
];
