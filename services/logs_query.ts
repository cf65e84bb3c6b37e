/**
 * QueryService: answers about logs.
 *
 * @module
 */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Clock } from "../clock.ts";
import { invalidArgument } from "../errors.ts";
import {
  type LogBucketSchema,
  type LogFacetsRequest,
  type LogFacetsResponseSchema,
  type LogHitSchema,
  type SearchLogsRequest,
  type SearchLogsResponseSchema,
  SearchOrder,
  type TailLogsRequest,
  type TailLogsResponseSchema,
} from "../gen/sluice/v1/query_pb.ts";
import { DEFAULT_FACET_VALUES, MAX_FACET_VALUES, MAX_FACETS, MAX_SEARCH_TERMS } from "../limits.ts";
import { type LogHighlighter, logHighlighter } from "../store/format/log_highlight.ts";
import { foldWord } from "../store/format/tokens.ts";
import type { LogCondition } from "../store/log_condition.ts";
import { type FacetKey, type Histogram, LEVELS, type LogStore, type StoredLog } from "../store/log_types.ts";
import type { Call } from "./call.ts";
import { parseQuery } from "./log_language/parser.ts";
import { parseLevel } from "./log_level.ts";
import { pageSize } from "./paging.ts";
import type { QuerySlots } from "./query_slots.ts";
import { queryRange } from "./query_range.ts";
import { quoted } from "./text.ts";

export interface LogsQueryOptions {
  readonly logs: LogStore;
  readonly clock: Clock;
  /** Shared with queries of metrics. */
  readonly slots: QuerySlots;
}

export type LogsQueries = ReturnType<typeof createLogsQueries>;

/** In front of the name of a field that is called like what is no field. */
const FIELD_PREFIX = "field:";

export function createLogsQueries({ logs, clock, slots }: LogsQueryOptions) {
  return {
    async searchLogs(
      request: SearchLogsRequest,
      call: Call,
    ): Promise<MessageInitShape<typeof SearchLogsResponseSchema>> {
      const where = conditionOf(request, clock.now());
      using _slot = slots.take();
      const { hits, more, opened, skipped, damaged } = await logs.search(call.tenant, {
        where,
        ...queryRange(request, clock.now()),
        newestFirst: request.order !== SearchOrder.OLDEST_FIRST,
        limit: pageSize(request.pageSize),
        after: request.pageToken === "" ? undefined : parsePageToken(request.pageToken),
      }, call.signal);
      const last = hits.at(-1);
      const highlight = logHighlighter(where);
      return {
        hits: hits.map((hit) => hitMessage(hit, highlight)),
        nextPageToken: more && last ? `${last.timestamp}.${last.id}` : "",
        segmentsOpened: BigInt(opened),
        segmentsSkipped: BigInt(skipped),
        segmentsDamaged: BigInt(damaged),
      };
    },

    async *tailLogs(
      request: TailLogsRequest,
      call: Call,
    ): AsyncGenerator<MessageInitShape<typeof TailLogsResponseSchema>> {
      const where = parseQuery(request.query, clock.now());
      const highlight = logHighlighter(where);
      const tail = await logs.tail(call.tenant, where);
      try {
        yield {};
        for (;;) {
          const { entries, missed } = await tail.next(call.signal);
          yield { hits: entries.map((entry) => hitMessage(entry, highlight)), missed: BigInt(missed) };
        }
      } finally {
        tail.close();
      }
    },

    async logFacets(
      request: LogFacetsRequest,
      call: Call,
    ): Promise<MessageInitShape<typeof LogFacetsResponseSchema>> {
      const step = Number(request.stepMs);
      if (step < 0) throw invalidArgument("step_ms", `must not be negative: current value is ${step}`);
      if (request.facets.length > MAX_FACETS) {
        throw invalidArgument("facets", `must be at most ${MAX_FACETS}: there are ${request.facets.length}`);
      }
      const { values } = request;
      if (values < 0 || values > MAX_FACET_VALUES) {
        throw invalidArgument("values", `must be from 0 to ${MAX_FACET_VALUES}: current value is ${values}`);
      }
      using _slot = slots.take();
      const { count, histogram, facets, opened, skipped, damaged } = await logs.count(call.tenant, {
        where: parseQuery(request.query, clock.now()),
        ...queryRange(request, clock.now()),
        step,
        facets: request.facets.map(facetKey),
        limit: values || DEFAULT_FACET_VALUES,
      }, call.signal);
      return {
        count: BigInt(count),
        buckets: bucketMessages(histogram),
        facets: facets.map(({ values, other }, i) => ({
          name: request.facets[i],
          values: values.map(({ value, count, histogram }) => ({
            value,
            count: BigInt(count),
            buckets: bucketMessages(histogram),
          })),
          other: BigInt(other),
        })),
        segmentsOpened: BigInt(opened),
        segmentsSkipped: BigInt(skipped),
        segmentsDamaged: BigInt(damaged),
      };
    },
  };
}

function hitMessage(hit: StoredLog, highlight: LogHighlighter): MessageInitShape<typeof LogHitSchema> {
  const { id, application, level, timestamp, message, fields } = hit;
  return {
    id,
    entry: {
      application,
      level: LEVELS[level],
      timestamp: BigInt(timestamp),
      message,
      fields: Object.fromEntries(fields),
    },
    highlights: highlight(hit).map(({ field, start, end }) => ({
      field: field === undefined ? "" : fields[field][0],
      start,
      end,
    })),
  };
}

function facetKey(name: string): FacetKey {
  if (name === "application" || name === "level") return { type: name };
  const field = name.startsWith(FIELD_PREFIX) ? name.slice(FIELD_PREFIX.length) : name;
  if (field === "") throw invalidArgument("facets", "must be application, level, or the name of a field");
  return { type: "field", name: field };
}

function bucketMessages(histogram: Histogram): MessageInitShape<typeof LogBucketSchema>[] {
  return histogram.map(([start, count]) => ({ timestamp: BigInt(start), count: BigInt(count) }));
}

/** What a search asks for, in its fields and in its query. */
function conditionOf(request: SearchLogsRequest, now: number): LogCondition {
  const minLevel = request.minLevel === "" ? 0 : parseLevel(request.minLevel);
  if (minLevel === undefined) {
    throw invalidArgument(
      "min_level",
      `must be one of ${LEVELS.join(", ")}: current value is ${quoted(request.minLevel)}`,
    );
  }
  const fields = Object.entries(request.fields);
  if (request.words.length + fields.length > MAX_SEARCH_TERMS) {
    throw invalidArgument("words", `must, with fields, be at most ${MAX_SEARCH_TERMS}`);
  }
  const of: LogCondition[] = [{ type: "level", from: minLevel, to: LEVELS.length - 1 }];
  if (request.application !== "") {
    of.push({ type: "application", value: { type: "exact", value: request.application } });
  }
  for (const [name, value] of fields) of.push({ type: "field", name, value: { type: "exact", value } });
  for (const text of request.words.map(foldWord)) {
    if (!/^[\p{L}\p{M}\p{N}_]+$/u.test(text)) {
      throw invalidArgument("words", `must be runs of letters, digits and underscores: ${quoted(text)} is none`);
    }
    of.push({ type: "words", where: "anywhere", words: { text, isPrefix: false } });
  }
  return { type: "all", of: [...of, parseQuery(request.query, now)] };
}

/** A page token is where the page before ended: timestamp and id of its last entry. */
function parsePageToken(token: string): { timestamp: number; id: string } {
  const match = /^(\d{1,16})\.([0-9A-Z]{26}-[0-9a-z]{1,8})$/.exec(token);
  if (!match) throw invalidArgument("page_token", "must be the next_page_token of a page");
  return { timestamp: Number(match[1]), id: match[2] };
}
