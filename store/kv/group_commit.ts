/**
 * Commits a group of contributions in one atomic, with the records of the streams that they belong to. A stream that loses
 * its check, because another call has taken it, leaves the group; the others are packed again without it.
 *
 * @module
 */
import { aborted, unavailable } from "../../errors.ts";
import type { Mutation } from "../types.ts";
import { type Committer, ConflictError } from "./committer.ts";
import type { Contribution } from "./grouping.ts";
import type { Move, StreamHandle } from "./stream_handle.ts";
import type { StreamProgress } from "./stream_record.ts";

/** What a contribution is in its stream. */
export interface StreamPart {
  readonly stream: StreamHandle;
  readonly progress: StreamProgress;
}

/** A group as it goes to KV. */
export interface Packed {
  /** Values under keys that nobody else uses; none where all items were refused. */
  readonly mutations: readonly Mutation[];
  /** They have been committed. */
  committed(): void;
}

/**
 * Commits what `pack` makes of the members, as soon as it is the group's turn. Contributions whose stream has failed, before
 * or by this, are left out. Throws UNAVAILABLE, or a TypeError for what KV does not take.
 */
export async function commitGroup<C extends Contribution>(
  committer: Committer,
  group: readonly C[],
  turn: Promise<void>,
  pack: (members: readonly C[]) => Promise<Packed>,
): Promise<void> {
  let members = group;
  let packed = await pack(members);
  await turn;
  for (;;) {
    failOlderWriters(members);
    const alive = members.filter(({ part }) => part?.stream.failure === undefined);
    if (alive.length === 0) return;
    if (alive.length < members.length) packed = await pack(members = alive);
    const moves = stageMoves(members);
    try {
      const versionstamp = await commit(committer, packed, [...moves.values()]);
      for (const move of moves.values()) move.apply(versionstamp);
      packed.committed();
      return;
    } catch (error) {
      if (!(error instanceof ConflictError)) throw error;
      if (await settleMoves(moves)) {
        packed.committed();
        return;
      }
      const someLost = [...moves.keys()].some(({ failure }) => failure !== undefined);
      if (!someLost) throw unavailable("Cannot commit: the key-value store reports a conflict that is none", error);
    }
  }
}

/** Of several calls on one stream that meet in a group, only one can go on: the one that has taken it last. */
function failOlderWriters(members: readonly Contribution[]): void {
  const writers = new Map<string, StreamHandle>();
  for (const { part } of members) {
    if (!part || part.stream.failure !== undefined) continue;
    const { stream } = part;
    const key = keyText(stream.key);
    const other = writers.get(key) ?? stream;
    const isNewer = stream.info.epoch > other.info.epoch;
    if (stream !== other) (isNewer ? other : stream).fail(aborted("Another call has gone on with the stream"));
    writers.set(key, isNewer ? stream : other);
  }
}

function keyText(key: Deno.KvKey): string {
  return key.join("/");
}

/** For each stream of the group the move that its parts make together. */
function stageMoves(members: readonly Contribution[]): Map<StreamHandle, Move> {
  const progress = new Map<StreamHandle, StreamProgress>();
  for (const { part } of members) {
    if (!part) continue;
    const before = progress.get(part.stream);
    progress.set(part.stream, before ? joinProgress(before, part.progress) : part.progress);
  }
  return new Map(Array.from(progress, ([stream, whole]) => [stream, stream.stage(whole)]));
}

function joinProgress(a: StreamProgress, b: StreamProgress): StreamProgress {
  return {
    to: b.to,
    accepted: a.accepted + b.accepted,
    rejected: a.rejected + b.rejected,
    filtered: a.filtered + b.filtered,
    bytes: a.bytes + b.bytes,
    rejections: [...a.rejections, ...b.rejections],
  };
}

async function commit(committer: Committer, { mutations }: Packed, moves: readonly Move[]): Promise<string> {
  const all = [...mutations, ...moves.flatMap((move) => move.mutations)];
  // The record may have been moved on when a commit whose answer was lost is looked for; a segment stays.
  const proof = all.find((m) => m.type === "set");
  if (!proof) throw new Error("a group has neither data nor a stream");
  // New streams of a tenant check the same floor.
  const checks = moves.length > 0
    ? [...new Map(moves.flatMap((move) => move.checks).map((check) => [keyText(check.key), check])).values()]
    : [{ key: proof.key, versionstamp: null }];
  return await committer.commit({ checks, mutations: all, proof });
}

/**
 * After a conflict: streams that another call has taken fail. True if the group was committed after all, which shows where
 * a record has its commit id.
 */
async function settleMoves(moves: ReadonlyMap<StreamHandle, Move>): Promise<boolean> {
  let isCommitted = false;
  for (const [stream, move] of moves) {
    const versionstamp = await stream.settle(move.commitId);
    if (versionstamp === undefined) continue;
    move.apply(versionstamp);
    isCommitted = true;
  }
  return isCommitted;
}
