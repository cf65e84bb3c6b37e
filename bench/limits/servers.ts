/**
 * Stages that are servers of their own: our HTTP/2 with a handler that drops what it reads, and the whole of ours.
 *
 * @module
 */
import { createSluice } from "../../client/mod.ts";
import { MIB, SECOND } from "../../limits.ts";
import { ROOT, startServer } from "../../tests/support/server.ts";
import { h2load } from "../peers/h2load.ts";
import { type Bodies, type Kind, PATHS } from "../peers/loads.ts";
import { verify } from "../peers/verify.ts";
import type { Stage } from "./stage.ts";
import { AT_ONCE, IN_MEMORY } from "./stores.ts";

/** Ticks of CPU time a second (USER_HZ), which Linux has the same everywhere. */
const TICKS = 100;
/** Bytes of bodies in one run: files take room. */
const MAX_RUN_BYTES = 512 * MIB;
const NEVER = new AbortController().signal;

interface Host {
  readonly url: string;
  readonly pid: number;
}

export interface Hosts extends AsyncDisposable {
  readonly sink: Host;
  readonly durable: Host;
  readonly memory: Host;
}

/** Starts the three of them; `data` is a folder on a disk. */
export async function startHosts(data: string): Promise<Hosts> {
  const durable = await startServer({ dir: `${data}/durable` });
  const memory = await startServer({ dir: `${data}/memory`, env: IN_MEMORY });
  const process = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", `${ROOT}bench/http2/server.ts`, "ours"],
    stdout: "piped",
  }).spawn();
  const reader = process.stdout.getReader();
  const { value } = await reader.read();
  const port = Number(new TextDecoder().decode(value));
  return {
    sink: { url: `http://127.0.0.1:${port}`, pid: process.pid },
    durable,
    memory,
    async [Symbol.asyncDispose]() {
      process.kill();
      await reader.cancel();
      await process.status;
      await durable[Symbol.asyncDispose]();
      await memory[Symbol.asyncDispose]();
    },
  };
}

/** The stages of a kind of body, driven by h2load with AT_ONCE streams. */
export async function hostStages(kind: Kind, bodies: Bodies, hosts: Hosts, scratch: string): Promise<Stage[]> {
  const bytes = (await Deno.stat(bodies.paths[kind])).size;
  const stage = (title: string, { url, pid }: Host, role: Pick<Stage, "isPart" | "isWhole">): Stage => ({
    title,
    ...role,
    async run(count) {
      const requests = Math.max(AT_ONCE, Math.min(count, Math.floor(MAX_RUN_BYTES / bytes)));
      const { seconds } = await h2load({
        requests,
        connections: Math.sqrt(AT_ONCE),
        perConnection: Math.sqrt(AT_ONCE),
        http1: false,
        body: bodies.paths[kind],
        headers: { "content-type": "application/grpc", te: "trailers" },
        urls: [url + PATHS[kind]],
        folder: scratch,
        signal: NEVER,
      });
      return seconds * SECOND / requests * count;
    },
    cpu: () => cpuOf(pid),
    ...!role.isPart && kind === "file" && { cleanUp: () => removeFiles(url) },
  });
  for (const { url } of [hosts.durable, hosts.memory]) await verify(url, kind, "application/grpc", bodies);
  return [
    stage("HTTP/2 alone", hosts.sink, { isPart: true }),
    stage("the whole server, on disk", hosts.durable, { isPart: false, isWhole: true }),
    stage("the whole server, in memory instead", hosts.memory, { isPart: false }),
  ];
}

/** CPU time of a process, with its threads, ms. See proc_pid_stat(5). */
function cpuOf(pid: number): number {
  const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * SECOND / TICKS;
}

async function removeFiles(url: string): Promise<void> {
  const { files } = createSluice({ url });
  const page = await files.list({ pageSize: 1000 });
  for (const { fileId } of page.files) await files.delete(fileId);
}
