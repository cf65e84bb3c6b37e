/**
 * Connect's own conformance suite against both hosts: `deno task test:conformance`, or with the name of one host. There
 * is no list of cases that may fail. Cases of timeouts are lost where the machine stalls for longer than they allow: if
 * none but such fail, all of timeouts are run again, and have to pass. Arguments after `--` are the runner's, such as `--run 'Basic/**' --trace`.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { compileProtos } from "./descriptors.ts";
import { type HostName, HOSTS } from "./hosts.ts";
import { findRunner } from "./runner.ts";

/** What each host is asked for. Deno.serve cannot send trailers, so it has no native gRPC. */
const PROTOCOLS: Readonly<Record<HostName, readonly string[]>> = {
  "front": ["PROTOCOL_CONNECT", "PROTOCOL_GRPC", "PROTOCOL_GRPC_WEB"],
  "deno-serve": ["PROTOCOL_CONNECT", "PROTOCOL_GRPC_WEB"],
};

const config = (host: HostName) => `
features:
  versions: [HTTP_VERSION_1, HTTP_VERSION_2]
  protocols: [${PROTOCOLS[host].join(", ")}]
  codecs: [CODEC_PROTO, CODEC_JSON]
  compressions: [COMPRESSION_IDENTITY, COMPRESSION_GZIP]
  supportsH2c: true
  supportsTls: true
  supportsTrailers: ${host === "front"}
  supportsHalfDuplexBidiOverHttp1: true
  supportsConnectGet: true
  supportsMessageReceiveLimit: true
`;

const program = fileURLToPath(new URL("program.ts", import.meta.url));
const [named, more] = split(Deno.args);
const runner = await findRunner();
const folder = await Deno.makeTempDir({ prefix: "sluice-conformance-" });
const lines: string[] = [];
let failed = false;
try {
  const descriptors = `${folder}/conformance.binpb`;
  await compileProtos(runner.protos, descriptors);
  for (const host of HOSTS) {
    if (named.length > 0 && !named.includes(host)) continue;
    await Deno.writeTextFile(`${folder}/${host}.yaml`, config(host));
    const onlyTimeouts = await run(host, descriptors, more);
    if (onlyTimeouts) await run(host, descriptors, ["--run", "Timeouts/**"], "timeouts again, ");
  }
} finally {
  await Deno.remove(folder, { recursive: true });
}
console.log(lines.join("\n"));
Deno.exit(failed || lines.length === 0 ? 1 : 0);

/** Runs cases, and notes what became of them. Returns whether some failed that may be run again: only ones of timeouts. */
async function run(host: HostName, descriptors: string, args: readonly string[], again = ""): Promise<boolean> {
  const began = performance.now();
  const { success, stdout, stderr } = await new Deno.Command(runner.path, {
    args: [
      ...["--mode", "server", "--conf", `${folder}/${host}.yaml`, ...args, "--"],
      ...[Deno.execPath(), "run", "-A", "--cached-only", program, host, descriptors],
    ],
    stdout: "piped",
    stderr: "piped",
  }).output();
  const text = new TextDecoder().decode(stdout);
  const summary = /Total cases: (\d+)\n(\d+) passed, (\d+) failed/.exec(text);
  const isGood = success && summary?.[3] === "0";
  const lost = [...text.matchAll(/^FAILED: (.*?):?$/gm)].map(([, name]) => name);
  const mayAgain = again === "" && lost.length > 0 && String(lost.length) === summary?.[3] &&
    lost.every((name) => name.startsWith("Timeouts/"));
  if (!isGood) console.log(text + ownLines(new TextDecoder().decode(stderr)));
  if (!isGood && !mayAgain) failed = true;
  const [, total, passed, not] = summary ?? ["", "0", "0", "no"];
  const seconds = ((performance.now() - began) / 1000).toFixed(0);
  lines.push(`${host}: ${again}${total} cases, ${passed} passed, ${not} failed (${seconds} s)`);
  return mayAgain;
}

/** What is no log of a server under test: calls fail there because they ask for it. */
function ownLines(text: string): string {
  return text.split("\n").filter((line) => !line.startsWith('{"time"')).join("\n");
}

function split(args: readonly string[]): [string[], string[]] {
  const at = args.indexOf("--");
  return at === -1 ? [[...args], []] : [args.slice(0, at), args.slice(at + 1)];
}
