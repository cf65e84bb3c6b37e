/**
 * Calls from clients to nodes: each may be cut at any moment, on the way there, in the middle, and on the way back, and the
 * two ends may hear of it at different times, or never.
 *
 * @module
 */
import { Code, ConnectError } from "@connectrpc/connect";
import type { Node, Open } from "./node.ts";
import type { Process } from "./process.ts";
import type { World } from "./world.ts";

/** No answer of the service's. */
export class NoAnswerError extends Error {
  override name = "NoAnswerError";
}

/** A call as the node sees it. */
export interface Incoming {
  readonly open: Open;
  readonly signal: AbortSignal;
  /** The items as they come in; may end too early, with an error or as if that were their end. */
  receive<T>(batches: readonly T[]): AsyncGenerator<T>;
}

/** How long a client waits for an answer, ms. */
const PATIENCE = 12_000;

/** Calls a node. Rejects with what the service throws, or a NoAnswerError. */
export function call<T>(world: World, node: Node, serve: (incoming: Incoming) => Promise<T>): Promise<T> {
  const { scheduler, faults, random } = world;
  return new Promise<T>((resolve, reject) => {
    let cancel = () => {};
    scheduler.after(PATIENCE, () => {
      reject(new NoAnswerError("no answer in time"));
      cancel();
    });
    scheduler.after(world.delay(false), () => {
      const { open } = node;
      if (!open) return reject(new NoAnswerError("connection refused"));
      const { process } = open;
      process.after(0, () => {
        const incoming = createIncoming(world, open);
        // The node may hear that the client is gone.
        if (random.chance(0.5)) cancel = () => process.after(world.delay(false), incoming.cancel);
        const answer = (settle: () => void) => {
          if (process.state === "crashed") return;
          if (incoming.isCut || faults.happens("call.cut")) {
            scheduler.after(world.delay(false), () => reject(new NoAnswerError("the answer was lost")));
          } else scheduler.after(world.delay(false), settle);
        };
        serve(incoming).then(
          (value) => answer(() => resolve(value)),
          (error) => answer(() => reject(error)),
        );
      });
    });
  });
}

/** A call that has come in, whose client may have gone meanwhile. */
interface CutIncoming extends Incoming {
  isCut: boolean;
  cancel(): void;
}

function createIncoming(world: World, open: Open): CutIncoming {
  const { faults, random } = world;
  const controller = new AbortController();
  const { process } = open;
  const cancel = () => controller.abort(new ConnectError("the caller is gone", Code.Canceled));
  if (faults.happens("call.deadline")) {
    process.after(random.between(0, 3000), () => {
      controller.abort(new ConnectError("the deadline has passed", Code.DeadlineExceeded));
    });
  }
  const incoming: CutIncoming = {
    open,
    signal: controller.signal,
    isCut: false,
    cancel,
    async *receive(batches) {
      const cutAt = faults.happens("call.cut") ? random.between(0, batches.length) : Infinity;
      for (const [i, batch] of batches.entries()) {
        await arrival(world, process);
        if (i >= cutAt) return cut();
        yield batch;
      }
      await arrival(world, process);
      if (batches.length >= cutAt) cut();
    },
  };

  return incoming;

  function cut(): void {
    incoming.isCut = true;
    // An HTTP/2 host may take a cut for an end.
    if (random.chance(0.4)) return;
    if (random.chance(0.5)) cancel();
    throw new ConnectError("the request broke off", Code.Canceled);
  }
}

async function arrival(world: World, process: Process): Promise<void> {
  const { random } = world;
  const ms = random.chance(0.5) ? 0 : random.between(0, random.chance(0.05) ? 3000 : 30);
  await process.sleep(ms);
}
