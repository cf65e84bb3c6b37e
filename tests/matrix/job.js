/**
 * What every runtime does, in the same words: plain JavaScript, which Deno, Node and a page take as it is.
 *
 * @module
 */
const MIB = 2 ** 20;
export const POINTS = 20_000;
export const LOGS = 5000;

/** So many MiB of text, each of them another. */
export function makeParts(mib) {
  const line = new TextEncoder().encode("time,host,value\n");
  return Array.from({ length: mib }, (_, i) => {
    const part = new Uint8Array(MIB);
    for (let at = 0; at < MIB; at += line.length) part.set(line, at);
    part.set(new TextEncoder().encode(String(i).padStart(10, "0")));
    return part;
  });
}

function* points(source) {
  const now = Date.now();
  for (let i = 0; i < POINTS; i++) yield { source, timestamp: now - i, metrics: { x: i }, tags: { zone: "a" } };
}

function* logs(application) {
  const now = Date.now();
  for (let i = 0; i < LOGS; i++) yield { application, timestamp: now - i, level: "warn", message: `line ${i}` };
}

/**
 * Uses all three services at `url`, and then all of them once more at `cutUrl`, where connections break.
 *
 * @param {typeof import("../../client/mod.ts").createSluice} createSluice
 * @param {{ url: string, cutUrl: string, transport: "auto" | "stream" | "windows", mib: number, name: string }} options
 */
export async function runJob(createSluice, { url, cutUrl, transport, mib, name }) {
  const events = [];
  const onEvent = (event) => ["transport", "retry", "resumed"].includes(event.type) && events.push(event);
  const data = new Blob(makeParts(mib));
  const send = async (url, name) => {
    const sluice = createSluice({ url, transport, onEvent, retry: { baseMs: 20, maxMs: 500 } });
    const began = performance.now();
    let bytes = 0;
    const { fileId, checksum } = await sluice.uploadFile(data, {
      name: `${name}.csv`,
      onProgress: (progress) => bytes = progress.bytes,
    });
    const seconds = (performance.now() - began) / 1000;
    const { successfulCount } = await sluice.sendPoints(points(name));
    const { indexedCount } = await sluice.sendLogs(logs(name));
    return { fileId, checksum, seconds, bytes, points: successfulCount, logs: indexedCount };
  };
  const whole = await send(url, name);
  const failures = () => events.filter(({ type }) => type === "retry").length;
  const before = failures();
  const cut = await send(cutUrl, `${name}-cut`);
  const { way, why } = events.findLast(({ type }) => type === "transport");
  return { way, why, whole, cut, retries: failures() - before };
}
