/**
 * The server that the demo talks to: one of its own, as a child process, or one that runs already.
 *
 * @module
 */

/** How long a server may take to start, ms: the first time, Deno fetches and checks everything. */
const START_MS = 120_000;
/** Characters of the server's log that are kept, to be shown if it does not start. */
const LOG_CHARS = 8_000;

/** A server for the time of the demo. */
export interface DemoServer extends AsyncDisposable {
  url: string;
}

/** A server that somebody else runs. */
export function existingServer(url: string): DemoServer {
  return { url, [Symbol.asyncDispose]: () => Promise.resolve() };
}

/**
 * Starts a server on a free port; it ends with SIGTERM. Its data is in `dataDir` and stays there, or if that is
 * undefined, in a temporary directory that is removed.
 *
 * @throws {Error} if it does not start; with the end of its log.
 */
export async function startServer(dataDir: string | undefined): Promise<DemoServer> {
  const main = new URL("../main.ts", import.meta.url);
  if (main.protocol !== "file:") throw new Error("Cannot start a server from here: give --url of one that runs");
  const data = dataDir ?? await Deno.makeTempDir({ prefix: "sluice-demo-" });
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", main.href],
    cwd: new URL("../", import.meta.url),
    // A server of the demo's own: settings of another one, such as where it keeps its data, are none of its business.
    clearEnv: true,
    env: { ...otherVariables(), SLUICE_LISTEN: "127.0.0.1:0", SLUICE_DATA: await absolute(data) },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();

  const log = keepEnd(child.stderr);
  const stop = async () => {
    try {
      child.kill("SIGTERM");
    } catch {
      // It has ended by itself.
    }
    await Promise.all([child.status, log.done]);
    if (dataDir === undefined) await Deno.remove(data, { recursive: true });
  };
  const onInterrupt = () => void stop().finally(() => Deno.exit(130));
  Deno.addSignalListener("SIGINT", onInterrupt);
  try {
    const url = await listeningUrl(child.stdout);
    return {
      url,
      async [Symbol.asyncDispose]() {
        Deno.removeSignalListener("SIGINT", onInterrupt);
        await stop();
      },
    };
  } catch (error) {
    Deno.removeSignalListener("SIGINT", onInterrupt);
    await stop();
    throw new Error(`Cannot start a server: ${(error as Error).message}\n${log.text()}`);
  }
}

async function absolute(path: string): Promise<string> {
  await Deno.mkdir(path, { recursive: true });
  return await Deno.realPath(path);
}

/** Waits for the line that says where the server listens. The rest of its output is read and dropped. */
async function listeningUrl(stdout: ReadableStream<Uint8Array>): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const timer = setTimeout(() => reject(new Error(`it was not ready in ${START_MS / 1000} s`)), START_MS);
  (async () => {
    let text = "";
    let found = false;
    for await (const part of stdout.pipeThrough(new TextDecoderStream() as TransformStream<Uint8Array, string>)) {
      if (found) continue;
      text += part;
      const match = /^listening on (http\S+)\s/m.exec(text);
      found = match !== null;
      if (match !== null) resolve(match[1]);
    }
    reject(new Error("it ended before it listened"));
  })();
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
  }
}

function keepEnd(stream: ReadableStream<Uint8Array>): { text(): string; done: Promise<void> } {
  let text = "";
  const done = (async () => {
    for await (const part of stream.pipeThrough(new TextDecoderStream() as TransformStream<Uint8Array, string>)) {
      text = (text + part).slice(-LOG_CHARS);
    }
  })();
  return { text: () => text, done };
}

/** The environment without Sluice's own variables. */
function otherVariables(): Record<string, string> {
  return Object.fromEntries(Object.entries(Deno.env.toObject()).filter(([name]) => !name.startsWith("SLUICE_")));
}
