/**
 * Compares this server with Deno.serve and node:http2 by h2load, over clear HTTP/2, in turn:
 * `deno run -A bench/http2/bench.ts [seconds]`.
 */
const seconds = Number(Deno.args[0] ?? 4);
const kinds = ["serve", "ours", "node"] as const;

const body = await Deno.makeTempFile();
await Deno.writeFile(body, new Uint8Array(1_048_576).fill(7));
const loads: readonly (readonly [name: string, args: readonly string[]])[] = [
  ["GET, 1 connection, 1 stream", ["-c1", "-m1"]],
  ["GET, 1 connection, 100 streams", ["-c1", "-m100"]],
  ["GET, 50 connections, 10 streams", ["-c50", "-m10"]],
  ["POST 1 MiB, 1 connection, 1 stream", ["-c1", "-m1", "-d", body]],
  ["POST 1 MiB, 4 connections, 4 streams", ["-c4", "-m4", "-d", body]],
];

async function start(kind: string): Promise<{ port: number; process: Deno.ChildProcess }> {
  const process = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", new URL("./server.ts", import.meta.url).pathname, kind],
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const reader = process.stdout.getReader();
  const { value } = await reader.read();
  reader.releaseLock();
  return { port: Number(new TextDecoder().decode(value)), process };
}

async function load(port: number, args: readonly string[]): Promise<string> {
  const { stdout } = await new Deno.Command("h2load", {
    args: [...args, "-D", String(seconds), "--warm-up-time", "1", `http://127.0.0.1:${port}/`],
  }).output();
  const text = new TextDecoder().decode(stdout);
  const rate = /finished in [^,]+, ([\d.]+) req\/s/.exec(text)?.[1] ?? "none";
  const failed = /(\d+) failed, (\d+) errored/.exec(text);
  return failed && failed[1] + failed[2] !== "00" ? `${rate} (${failed[0]})` : rate;
}

for (const [name, args] of loads) {
  const rates: string[] = [];
  for (const kind of kinds) {
    const { port, process } = await start(kind);
    rates.push(`${kind} ${await load(port, args)}`);
    try {
      process.kill();
    } catch {
      // node:http2 aborts the process when clients hang up under load (denoland/deno#36788).
      rates.push("(died)");
    }
    await process.status;
    await process.stdout.cancel();
  }
  console.log(`${name}: ${rates.join(", ")} requests/s`);
}
await Deno.remove(body);
