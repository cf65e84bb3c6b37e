/**
 * Uploads as tus has them (https://tus.io/protocols/resumable-upload): an upload is created, then PATCH brings its bytes.
 *
 * @module
 */
import { type Bodies, FILE_BYTES, type Load } from "./loads.ts";
import { h2load, type Run, type RunOptions } from "./h2load.ts";

const VERSION = { "tus-resumable": "1.0.0" };

/** Creates uploads, as many at once as the load has streams, and has h2load bring their bytes. Both count. */
export async function driveTus(
  url: string,
  load: Load,
  requests: number,
  bodies: Bodies,
  options: Pick<RunOptions, "folder" | "signal">,
): Promise<Run> {
  const began = performance.now();
  const urls: string[] = [];
  let begun = 0;
  await Promise.all(Array.from({ length: load.streams }, async () => {
    while (begun++ < requests) urls.push(await createUpload(url));
  }));
  const milliseconds = performance.now() - began;
  const run = await h2load({
    requests,
    // Each connection of h2load begins with the first URL, and no upload can be sent twice.
    connections: 1,
    perConnection: load.streams,
    http1: false,
    body: bodies.rawFile,
    headers: {
      ":method": "PATCH",
      "content-type": "application/offset+octet-stream",
      "upload-offset": "0",
      ...VERSION,
    },
    urls,
    ...options,
  });
  const creation = milliseconds * load.streams / requests;
  return {
    ...run,
    seconds: run.seconds + milliseconds / 1000,
    latencies: run.latencies.map((latency) => latency + creation),
  };
}

/** Uploads one file and throws unless the server has all of it. The length of its answer is 0. */
export async function verifyTus(url: string, bodies: Bodies): Promise<number> {
  const upload = await createUpload(url);
  const sent = await fetch(upload, {
    method: "PATCH",
    headers: { "content-type": "application/offset+octet-stream", "upload-offset": "0", ...VERSION },
    body: await Deno.readFile(bodies.rawFile),
  });
  await sent.body?.cancel();
  const head = await fetch(upload, { method: "HEAD", headers: VERSION });
  const offset = Number(head.headers.get("upload-offset"));
  if (offset !== FILE_BYTES) throw new Error(`not all was accepted: ${offset} bytes of ${FILE_BYTES}`);
  return 0;
}

async function createUpload(url: string): Promise<string> {
  const response = await fetch(`${url}/files/`, {
    method: "POST",
    headers: { "upload-length": `${FILE_BYTES}`, ...VERSION },
  });
  await response.body?.cancel();
  const location = response.headers.get("location");
  if (response.status !== 201 || location === null) throw new Error(`no upload was created: HTTP ${response.status}`);
  return location;
}
