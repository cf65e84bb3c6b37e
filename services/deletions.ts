/**
 * DeletionService: removes points and logs, and says what was removed, files too.
 *
 * @module
 */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Clock } from "../clock.ts";
import { invalidArgument } from "../errors.ts";
import type {
  DeleteLogsRequest,
  DeleteLogsResponseSchema,
  DeletePointsRequest,
  DeletePointsResponseSchema,
  DeletionSchema,
  ListDeletionsRequest,
  ListDeletionsResponseSchema,
} from "../gen/sluice/v1/deletion_pb.ts";
import type { DeletedItems, DeletionInfo, DeletionStore } from "../store/deletion_types.ts";
import type { Call } from "./call.ts";
import { pageSize } from "./paging.ts";
import { queryRange } from "./query_range.ts";

export interface DeletionServiceOptions {
  readonly deletions: DeletionStore;
  readonly clock: Clock;
}

export type DeletionService = ReturnType<typeof createDeletionService>;

const ULID = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;

export function createDeletionService({ deletions, clock }: DeletionServiceOptions) {
  const rangeOf = (request: { from: bigint; to: bigint }) => {
    const { from, to } = queryRange(request, clock.now());
    return { from, to: request.to === 0n ? Number.MAX_SAFE_INTEGER : to };
  };
  return {
    async deletePoints(
      request: DeletePointsRequest,
      call: Call,
    ): Promise<MessageInitShape<typeof DeletePointsResponseSchema>> {
      const { source, metric } = request;
      const tags = Object.entries(request.tags);
      ensureCondition(source !== "" || metric !== "" || tags.length > 0, request, "source, metric, tags, from or to");
      const items: DeletedItems = {
        kind: "points",
        ...rangeOf(request),
        ...source !== "" && { source },
        ...metric !== "" && { metric },
        tags,
      };
      return { deletion: deletionMessage(await deletions.add(call.tenant, items)) };
    },

    async deleteLogs(
      request: DeleteLogsRequest,
      call: Call,
    ): Promise<MessageInitShape<typeof DeleteLogsResponseSchema>> {
      const { application } = request;
      ensureCondition(application !== "", request, "application, from or to");
      const items: DeletedItems = { kind: "logs", ...rangeOf(request), ...application !== "" && { application } };
      return { deletion: deletionMessage(await deletions.add(call.tenant, items)) };
    },

    async listDeletions(
      request: ListDeletionsRequest,
      call: Call,
    ): Promise<MessageInitShape<typeof ListDeletionsResponseSchema>> {
      const limit = pageSize(request.pageSize);
      const { pageToken } = request;
      if (pageToken !== "" && !ULID.test(pageToken)) {
        throw invalidArgument("page_token", "must be the next_page_token of a page");
      }
      const found = await deletions.list(call.tenant, limit + 1, pageToken || undefined);
      const page = found.slice(0, limit);
      return { deletions: page.map(deletionMessage), nextPageToken: found.length > limit ? page.at(-1)?.id : "" };
    },
  };
}

/** All of it is deleted only if that is said: by a range of time. */
function ensureCondition(isGiven: boolean, { from, to }: { from: bigint; to: bigint }, names: string): void {
  if (!isGiven && from === 0n && to === 0n) {
    throw invalidArgument("request", `must have a condition: ${names}. To delete everything, give to`);
  }
}

function deletionMessage({ id, items, createdAt, doneAt }: DeletionInfo): MessageInitShape<typeof DeletionSchema> {
  return { id, what: whatMessage(items), createdAt: BigInt(createdAt), doneAt: BigInt(doneAt) };
}

function whatMessage(items: DeletionInfo["items"]): MessageInitShape<typeof DeletionSchema>["what"] {
  if (items.kind === "file") {
    const { id, name, size, sha256 } = items;
    return {
      case: "file",
      value: { fileId: id, fileName: name, totalSize: BigInt(size), checksum: sha256.toHex() },
    };
  }
  const range = { from: BigInt(items.from), to: items.to === Number.MAX_SAFE_INTEGER ? 0n : BigInt(items.to) };
  return items.kind === "logs"
    ? { case: "logs", value: { ...range, application: items.application } }
    : { case: "points", value: { ...range, source: items.source, metric: items.metric, tags: tagsOf(items) } };
}

function tagsOf({ tags }: { readonly tags: readonly (readonly [string, string])[] }): Record<string, string> {
  return Object.fromEntries(tags);
}
