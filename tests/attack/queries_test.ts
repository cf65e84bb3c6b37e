import { assert, assertEquals, assertRejects } from "@std/assert";
import { type Client, Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import { systemClock } from "../../clock.ts";
import { QueryService } from "../../gen/sluice/v1/query_pb.ts";
import { createFront } from "../../http/front.ts";
import { listen, readCertificate } from "../../http/listen.ts";
import { MAX_QUERIES } from "../../limits.ts";
import { createHttpHandler } from "../../rpc/http_handler.ts";
import { createRouter, type Services } from "../../rpc/router.ts";
import { createLogsQueries } from "../../services/logs_query.ts";
import { createMetricsQueries } from "../../services/metrics_query.ts";
import { QuerySlots } from "../../services/query_slots.ts";
import { makeSeries } from "../../store/format/series.ts";
import type { LogStore } from "../../store/log_types.ts";
import type { PointStore } from "../../store/types.ts";
import { ROOT } from "../support/server.ts";
import { until } from "../support/until.ts";
import { retryInfo } from "../support/wire.ts";

const COUNTS = { opened: 0, skipped: 0, damaged: 0 };
const BUCKETS = Array.from({ length: 300_000 }, (_, start) => (
  { start, count: 1, sum: 1, min: 1, max: 1, last: 1, quantiles: [], increase: 0 }
));

async function* partsOf(most: number) {
  const series = makeSeries("s", "m", {});
  for (let i = 0; i < BUCKETS.length; i += most) yield [{ series, buckets: BUCKETS.slice(i, i + most) }];
}

/** Stores that answer when they are told to. */
class Stores {
  /** What ends each question that is being answered. */
  readonly #open = new Set<() => void>();
  readonly logs = {
    search: (_tenant, _search, signal) => this.#answer(signal, { hits: [], more: false, ...COUNTS }),
    count: (_tenant, _counting, signal) => this.#answer(signal, { count: 0, histogram: [], facets: [], ...COUNTS }),
  } as Partial<LogStore> as LogStore;
  readonly points = {
    query: (_tenant, _query, signal) => this.#answer(signal, { series: [], from: 0, ...COUNTS }),
    // There is more than a socket takes.
    queryParts: (_tenant, _query, most) => Promise.resolve({ parts: partsOf(most), from: 0, ...COUNTS }),
  } as Partial<PointStore> as PointStore;

  get open(): number {
    return this.#open.size;
  }

  answerAll(): void {
    for (const end of this.#open) end();
  }

  #answer<T>(signal: AbortSignal, answer: T): Promise<T> {
    return new Promise((resolve, reject) => {
      const end = () => {
        this.#open.delete(end);
        if (signal.aborted) reject(signal.reason);
        else resolve(answer);
      };
      this.#open.add(end);
      signal.addEventListener("abort", end);
    });
  }
}

const FILES = { cert: `${ROOT}tests/support/tls/a.pem`, key: `${ROOT}tests/support/tls/a.key` };

async function withQueries(
  http2: boolean,
  fn: (client: Client<typeof QueryService>, stores: Stores, slots: QuerySlots) => Promise<void>,
): Promise<void> {
  const stores = new Stores();
  const slots = new QuerySlots();
  const common = { clock: systemClock, slots };
  const services = {
    metricsQueries: createMetricsQueries({ points: stores.points, ...common }),
    logsQueries: createLogsQueries({ logs: stores.logs, ...common }),
  } as Partial<Services> as Services;
  const isReady = () => Promise.resolve(true);
  const shutdownSignal = new AbortController().signal;
  const router = createRouter(services, { grpc: true, shutdownSignal, isReady, clock: systemClock });
  const handler = createHttpHandler({ router, files: { openFile: () => Promise.reject() }, isReady });
  const front = createFront(handler, { clock: systemClock, onError: (error) => console.error(error) });
  const certificate = await readCertificate(FILES);
  const { url } = await listen(front, { hostname: "127.0.0.1", port: 0, certificate });
  const caCerts = [await Deno.readTextFile(FILES.cert)];
  const http = Deno.createHttpClient({ caCerts, http1: !http2, http2, poolMaxIdlePerHost: 0 });
  try {
    const fetchWith: typeof fetch = (input, init) => fetch(input, Object.assign({}, init, { client: http }));
    await fn(createClient(QueryService, createConnectTransport({ baseUrl: url, fetch: fetchWith })), stores, slots);
  } finally {
    http.close();
    await front.shutdown(1000);
    await until(() => front.connections === 0, 1000);
  }
}

/** Each kind of question is refused, and told when to come again. */
async function assertFull(client: Client<typeof QueryService>): Promise<void> {
  const questions = [
    () => client.searchLogs({}),
    () => client.logFacets({}),
    () => client.queryMetrics({ metric: "m" }),
    () => client.streamMetrics({ metric: "m" })[Symbol.asyncIterator]().next(),
  ];
  for (const question of questions) {
    const error = await assertRejects(question, ConnectError, `${MAX_QUERIES} searches and queries`);
    assertEquals(Code[error.code], Code[Code.ResourceExhausted]);
    assert(retryInfo(error) !== undefined);
  }
}

for (const http2 of [false, true]) {
  const version = http2 ? "HTTP/2" : "HTTP/1.1";

  Deno.test(`MAX_QUERIES over ${version}: more at once are refused; one that is cancelled makes room`, async () => {
    await withQueries(http2, async (client, stores, slots) => {
      const { signal, abort } = cancellable();
      const first = assertRejects(() => client.searchLogs({}, { signal }), ConnectError);
      const others = Array.from(
        { length: MAX_QUERIES - 1 },
        (_, i) =>
          i % 3 === 0
            ? client.searchLogs({})
            : i % 3 === 1
            ? client.logFacets({})
            : client.queryMetrics({ metric: "m" }),
      );
      await until(() => stores.open === MAX_QUERIES, 5000);
      await assertFull(client);
      abort();
      await first;
      await until(() => stores.open === MAX_QUERIES - 1, 5000);
      others.push(client.searchLogs({}));
      await until(() => stores.open === MAX_QUERIES, 5000);
      await assertFull(client);
      stores.answerAll();
      await Promise.all(others);
      await until(() => areAllFree(slots), 5000);
    });
  });

  Deno.test(`MAX_QUERIES over ${version}: an answer in parts counts until it is read, or nobody reads it`, async () => {
    await withQueries(http2, async (client, _stores, slots) => {
      const others = Array.from({ length: MAX_QUERIES - 3 }, () => slots.take());
      const callers = Array.from({ length: 3 }, () => {
        const { signal, abort } = cancellable();
        return { abort, parts: client.streamMetrics({ metric: "m" }, { signal })[Symbol.asyncIterator]() };
      });
      for (const { parts } of callers) assertEquals((await parts.next()).value.series.length, 1);
      await assertFull(client);
      for (const { abort, parts } of callers) {
        abort();
        await assertRejects(() => parts.next(), ConnectError);
      }
      for (const slot of others) slot[Symbol.dispose]();
      await until(() => areAllFree(slots), 5000);
    });
  });
}

function areAllFree(slots: QuerySlots): boolean {
  const taken: Disposable[] = [];
  try {
    while (taken.length < MAX_QUERIES) taken.push(slots.take());
    return true;
  } catch {
    return false;
  } finally {
    for (const slot of taken) slot[Symbol.dispose]();
  }
}

function cancellable(): { signal: AbortSignal; abort(): void } {
  const controller = new AbortController();
  return { signal: controller.signal, abort: () => controller.abort() };
}
