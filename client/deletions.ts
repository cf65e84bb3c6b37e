/**
 * Removing points and logs.
 *
 * @module
 */
import {
  type DeleteLogsRequestSchema,
  type DeletePointsRequestSchema,
  type Deletion,
  DeletionService,
  type ListDeletionsRequestSchema,
  type ListDeletionsResponse,
} from "../gen/sluice/v1/deletion_pb.ts";
import type { Core } from "./core.ts";
import { Code, type MessageInitShape } from "./deps.ts";
import { SluiceError } from "./errors.ts";
import type { QueryOptions } from "./questions.ts";
import { ask } from "./unary.ts";

/** What can be removed besides files. */
export interface Deletions {
  /**
   * Deletes points: those that are committed now are in no answer any more. At least one condition must be given.
   *
   * @throws {SluiceError} What the server answered.
   */
  deletePoints(
    request: MessageInitShape<typeof DeletePointsRequestSchema>,
    options?: QueryOptions,
  ): Promise<Deletion>;
  /**
   * Deletes log entries, of an application or of a range of time, likewise.
   *
   * @throws {SluiceError} What the server answered.
   */
  deleteLogs(request: MessageInitShape<typeof DeleteLogsRequestSchema>, options?: QueryOptions): Promise<Deletion>;
  /**
   * One page of what was deleted, the newest first, and when the last of it was gone from the disk.
   *
   * @throws {SluiceError} What the server answered.
   */
  listDeletions(
    request?: MessageInitShape<typeof ListDeletionsRequestSchema>,
    options?: QueryOptions,
  ): Promise<ListDeletionsResponse>;
}

export function createDeletions(core: Core): Deletions {
  const { deletePoints, deleteLogs, listDeletions } = DeletionService.method;
  return {
    deletePoints: async (request, options) => known((await ask(core, deletePoints, request, options)).deletion),
    deleteLogs: async (request, options) => known((await ask(core, deleteLogs, request, options)).deletion),
    listDeletions: (request = {}, options) => ask(core, listDeletions, request, options),
  };
}

function known(deletion: Deletion | undefined): Deletion {
  if (deletion !== undefined) return deletion;
  throw new SluiceError("The answer holds no deletion", { code: Code.Internal, reason: "server" });
}
