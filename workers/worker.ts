/**
 * A further worker's thread: a whole server, on the stores and the port that the main thread has opened.
 *
 * @module
 */
import { systemClock } from "../clock.ts";
import type { Listening } from "../http/listen.ts";
import { openServer, type Server } from "../server.ts";
import { openCommon } from "./common.ts";
import type { Answer, Request, Task, WorkerStart } from "./messages.ts";

/** The part of a worker's global scope that is used. */
interface WorkerScope {
  onmessage: (event: MessageEvent<Request>) => void;
  postMessage(answer: Answer): void;
}

const scope = globalThis as unknown as WorkerScope;
let server: Server | undefined;
let listening: Listening | undefined;

scope.onmessage = async ({ data: { id, task } }) => {
  let error: string | undefined;
  try {
    await perform(task);
  } catch (thrown) {
    error = thrown instanceof Error ? thrown.message : String(thrown);
  }
  scope.postMessage({ id, error });
};

async function perform(task: Task): Promise<void> {
  if (task.type === "start") await start(task.start);
  else if (task.type === "reload") await listening?.reload(task.certificate);
  // The thread stays until the process ends: what it has begun may still settle.
  else await server?.stop();
}

async function start({ config, port, certificate, memory }: WorkerStart): Promise<void> {
  server = await openServer(config, systemClock, openCommon(memory));
  listening = await server.listen(port, certificate, "joining");
}
