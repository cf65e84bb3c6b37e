/**
 * The further workers, as the main thread sees them. One that dies takes the process along: its calls are cut off, its
 * part of the connections would be refused or hang, and whoever supervises the process can start all of it afresh.
 * Everything acknowledged is in the stores, so nothing is lost by that.
 *
 * @module
 */
import type { Certificate } from "../http/listen.ts";
import { logEvent } from "../rpc/log.ts";
import { StartError } from "../server.ts";
import type { Answer, Task, WorkerStart } from "./messages.ts";

export interface WorkerPool {
  /** Changes the certificate of all workers. Throws if one could not. */
  reload(certificate: Certificate): Promise<void>;
  /** Resolves when all workers have stopped. */
  stop(): Promise<void>;
}

/** Starts `count` workers. Resolves when all of them accept connections; throws a StartError if one cannot. */
export async function startWorkers(count: number, start: WorkerStart): Promise<WorkerPool> {
  const ask = Array.from({ length: count }, (_, i) => startThread(i + 2));
  const all = async (task: Task) => void await Promise.all(ask.map((tell) => tell(task)));
  try {
    await all({ type: "start", start });
  } catch (error) {
    throw new StartError("start a worker", error);
  }
  return {
    reload: (certificate) => all({ type: "reload", certificate }),
    stop: () => all({ type: "stop" }),
  };
}

/** Starts a thread. Returns how to give it a task, which resolves when that is done. */
function startThread(number: number): (task: Task) => Promise<void> {
  const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module", name: `worker ${number}` });
  const waiting = new Map<number, (answer: Answer) => void>();
  let id = 0;
  worker.onmessage = ({ data }: MessageEvent<Answer>) => {
    waiting.get(data.id)?.(data);
    waiting.delete(data.id);
  };
  worker.onerror = (event) => {
    event.preventDefault();
    logEvent("error", "a worker died, so the server ends", { worker: number, error: event.message });
    Deno.exit(1);
  };
  return (task) =>
    new Promise((resolve, reject) => {
      waiting.set(++id, ({ error }) => error === undefined ? resolve() : reject(new Error(error)));
      worker.postMessage({ id, task });
    });
}
