/**
 * `sluice status`: whether the server takes work, and what is being sent to it.
 *
 * @module
 */
import { type StreamInfo, StreamKind, StreamService } from "../../gen/sluice/v1/stream_pb.ts";
import { createCore } from "../options.ts";
import { ask } from "../unary.ts";
import type { Context } from "./context.ts";
import type { Command } from "./deps.ts";
import { Exit } from "./exit.ts";
import { bytes, count, table, time } from "./format.ts";

/** How long the server may take to say how it is, ms. */
const TIMEOUT_MS = 5000;

/** Streams that are listed at the most. */
const MAX_STREAMS = 100;

const KINDS = ["", "file", "points", "logs"];
const STATES = ["", "open", "finished", "expired"];

export function addStatus(program: Command, run: (work: (context: Context) => Promise<number>) => Promise<void>): void {
  program.command("status")
    .summary("whether the server takes work, and the streams that are not finished")
    .addHelpText("after", "\nExamples:\n  $ sluice status\n  $ sluice status --json --url https://sluice.example.com\n")
    .action(() => run(status));
}

async function status(context: Context): Promise<number> {
  const isReady = await readiness(context);
  const streams = isReady ? await openStreams(context) : [];
  context.result(
    {
      url: context.url,
      ready: isReady,
      streams: streams.map((stream) => ({ ...stream, kind: KINDS[stream.kind], state: STATES[stream.state] })),
    },
    isReady ? `${context.url} is ready` : `${context.url} does not take work`,
  );
  if (streams.length > 0 && !context.json) context.result(undefined, tableOf(streams));
  return isReady ? Exit.ok : Exit.unavailable;
}

async function readiness({ url, signal, warn }: Context): Promise<boolean> {
  try {
    const response = await fetch(`${url.replace(/\/+$/, "")}/readyz`, {
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    });
    const text = (await response.text()).trim();
    const isReady = response.ok && text === "ready";
    // Whatever answers everything with 200 is no server of ours; one that takes no work, or a proxy of it, says 503.
    if (!isReady && response.status !== 503) {
      warn(`HTTP ${response.status} instead of an answer: check the url: what answers there is no Sluice server`);
    }
    return isReady;
  } catch (error) {
    signal.throwIfAborted();
    const { message, cause } = error as Error;
    warn(cause instanceof Error ? cause.message : message);
    return false;
  }
}

async function openStreams({ url, token, signal }: Context): Promise<StreamInfo[]> {
  const { core, close } = createCore({ url, token });
  try {
    const answers = await Promise.all(
      [StreamKind.FILE, StreamKind.POINTS, StreamKind.LOGS].map((kind) =>
        ask(core, StreamService.method.listStreams, { kind, open: true, pageSize: MAX_STREAMS }, {
          signal,
          deadlineMs: TIMEOUT_MS,
        })
      ),
    );
    return answers.flatMap(({ streams }) => streams);
  } finally {
    close();
  }
}

function tableOf(streams: readonly StreamInfo[]): string {
  const rows = streams.map(({ kind, streamId, committed, end, updatedAt, fileName }) => {
    const amount = kind === StreamKind.FILE ? (value: bigint) => bytes(Number(value)) : count;
    const of = end === undefined ? "" : ` of ${amount(end)}`;
    return [KINDS[kind], `${amount(committed)}${of}`, time(updatedAt), fileName === "" ? streamId : fileName];
  });
  return table(["kind", "committed", "moved", "name"], rows);
}
