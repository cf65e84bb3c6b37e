/**
 * One server: stores, services, router and front, put together. main.ts runs one, and each further worker runs one more
 * over the same stores and on the same port.
 *
 * @module
 */
import type { Clock } from "./clock.ts";
import type { Config } from "./config.ts";
import { unavailable } from "./errors.ts";
import { createFront, type Front } from "./http/front.ts";
import { type Certificate, listen, type Listening, type PortSharing } from "./http/listen.ts";
import type { MemoryBudget } from "./http2/mod.ts";
import { MAX_CONNECTIONS, SHUTDOWN_GRACE_MS, SHUTDOWN_MS } from "./limits.ts";
import { withCors } from "./rpc/cors.ts";
import { createHttpHandler, type HttpHandler } from "./rpc/http_handler.ts";
import { logEvent } from "./rpc/log.ts";
import { createRouter } from "./rpc/router.ts";
import { createDataCollectionService } from "./services/data_collection.ts";
import { createFileUploadService } from "./services/file_upload.ts";
import { createLogsQueries } from "./services/logs_query.ts";
import { createDeletionService } from "./services/deletions.ts";
import { createMetricsQueries } from "./services/metrics_query.ts";
import { QuerySlots } from "./services/query_slots.ts";
import { createStreamService } from "./services/streams.ts";
import { LeaseLostError } from "./store/kv/lease.ts";
import { damagedValues } from "./store/kv/metrics.ts";
import { openStores, type Stores } from "./store/open.ts";
import { systemPlatform } from "./store/platform.ts";
import { createThreadRehash } from "./store/rehash/thread.ts";

/** What start-up needs and does not get. The message is one line for the operator. */
export class StartError extends Error {
  override name = "StartError";

  constructor(what: string, cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const behind = cause instanceof Error && cause.cause instanceof Error ? `: ${cause.cause.message}` : "";
    super(`Cannot ${what}: ${reason}${behind}`, { cause });
  }
}

/** Resolves as `promise` does; throws a StartError that says what could not be done. */
export async function starting<T>(what: string, promise: Promise<T>): Promise<T> {
  try {
    return await promise;
  } catch (cause) {
    throw new StartError(what, cause);
  }
}

/** What the workers of a process have in common. */
export interface Common {
  readonly budget: MemoryBudget;
}

export interface Server {
  /** For a host other than our own. */
  readonly handler: HttpHandler;
  /** Opens the port, 0 for a free one, and serves it. Throws a StartError. */
  listen(port: number, certificate: Certificate | undefined, sharing: PortSharing): Promise<Listening>;
  /** From now on, a round of housekeeping at every interval. */
  keepHouse(): void;
  /** Takes no more calls, lets those that are open end within SHUTDOWN_MS, and closes the stores. */
  stop(): Promise<void>;
}

/** Opens the stores and puts a server on them. Throws a StartError. */
export async function openServer(config: Config, clock: Clock, common?: Common): Promise<Server> {
  // What is in memory only this thread can read; and on Deploy there are no threads.
  const isShared = !config.onDeploy && config.kv !== ":memory:" && config.blobs.kind !== "memory";
  const rehash = isShared ? () => createThreadRehash(config, clock) : undefined;
  const stores = await starting("open the stores", openStores(config, systemPlatform(clock), reportDamage, rehash));
  /** Aborts when the server is told to stop: it takes no more work. */
  const stopping = new AbortController();
  /** Aborts a little later: calls that are still open end. */
  const ended = new AbortController();
  const isReady = async () => !stopping.signal.aborted && await stores.isReady();

  const { maxFileBytes, allowedExtensions, retention, logRules } = config;
  const { streams } = stores;
  const files = createFileUploadService({ files: stores.files, streams, maxFileBytes, allowedExtensions });
  const slots = new QuerySlots();
  const router = createRouter({
    files,
    collection: createDataCollectionService({
      points: stores.points,
      logs: stores.logs,
      streams,
      clock,
      retention,
      logRules,
    }),
    deletions: createDeletionService({ deletions: stores.deletions, clock }),
    metricsQueries: createMetricsQueries({ points: stores.points, clock, slots }),
    logsQueries: createLogsQueries({ logs: stores.logs, clock, slots }),
    streams: createStreamService({ streams, clock }),
  }, { grpc: !config.onDeploy, shutdownSignal: ended.signal, isReady, clock });
  const handler = withCors(createHttpHandler({ router, files, isReady }), config.corsOrigins);
  let front: Front | undefined;

  return {
    handler,
    listen(port, certificate, sharing) {
      front = createFront(handler, {
        clock,
        maxConnectionAge: config.maxConnectionAge,
        maxConnections: Math.ceil(MAX_CONNECTIONS / config.workers),
        budget: common?.budget,
        onError: (error) => logEvent("error", "a request failed", { error }),
      });
      return starting("listen", listen(front, { hostname: config.address.hostname, port, certificate, sharing }));
    },
    keepHouse: () => keepHouseEvery(config.housekeeping, stores, clock, stopping.signal),
    async stop() {
      stopping.abort();
      clock.setTimer(SHUTDOWN_GRACE_MS, () => ended.abort(unavailable("the server is stopping")));
      await front?.shutdown(SHUTDOWN_MS);
      await stores.close();
    },
  };
}

function reportDamage(key: string, error: unknown): void {
  damagedValues.add(1);
  logEvent("error", "a stored value is damaged and was passed over", { key, error });
}

function keepHouseEvery(interval: number, stores: Stores, clock: Clock, signal: AbortSignal): void {
  const round = async () => {
    try {
      const removed = await stores.keepHouse(signal);
      if (Object.values(removed).some((count) => count > 0)) logEvent("info", "housekeeping", { ...removed });
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof LeaseLostError) logEvent("info", "another instance has taken over housekeeping");
      else logEvent("warn", "housekeeping failed and will be tried again", { error });
    }
    if (!signal.aborted) cancel = clock.setTimer(interval, round);
  };
  let cancel = clock.setTimer(interval, round);
  signal.addEventListener("abort", () => cancel());
}
