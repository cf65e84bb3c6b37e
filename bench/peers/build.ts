/**
 * Builds the peers into a temporary folder, with Go's and npm's own tools. Nothing that they make is kept.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { BUF, ROOT } from "../../scripts/run.ts";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const GRPC_JS = "1.14.7";
const PROTO_LOADER = "0.8.1";
const TUSD = "v2.9.1";

const GO = "Go 1.26 or later: https://go.dev/doc/install";
/** Programs that a peer, or the benchmark itself, needs: how to get them, and what succeeds if they are there. */
const PROGRAMS = {
  h2load: { install: "Debian: apt install nghttp2-client", probe: ["--version"] },
  go: { install: GO, probe: ["version"] },
  gcc: { install: "Debian: apt install gcc libc6-dev; SQLite is C", probe: ["--version"] },
  // Where there is no Node, Deno stands in for it.
  node: {
    install: "Node 20 or later: https://nodejs.org",
    probe: ["-e", "process.exit(process.versions.deno ? 1 : 0)"],
  },
  npm: { install: "comes with Node", probe: ["--version"] },
} as const;

export interface Built {
  /** Has bin/ with the Go programs and js/ with those for Node. */
  readonly folder: string;
  /** What each thing is, by name. */
  readonly versions: Readonly<Record<string, string>>;
}

/** Which programs are missing, with how to install each. */
export async function missingPrograms(): Promise<string[]> {
  const missing: string[] = [];
  for (const [name, { install, probe }] of Object.entries(PROGRAMS)) {
    try {
      await run(name, probe);
    } catch {
      missing.push(`${name} (${install})`);
    }
  }
  return missing;
}

/** Builds all peers. The first time takes minutes, for SQLite and tusd are compiled; Go's cache has them from then on. */
export async function build(folder: string): Promise<Built> {
  const [bin, go, js] = [`${folder}/bin`, `${folder}/go`, `${folder}/js`];
  for (const path of [bin, js]) await Deno.mkdir(path);
  // Servers are started with what is there already, for loading it is no part of starting.
  await run(Deno.execPath(), ["cache", "main.ts", `${HERE}connect_es.ts`], { cwd: ROOT });
  await copyFolder(`${HERE}go`, go);

  const plugins = [
    "google.golang.org/protobuf/cmd/protoc-gen-go",
    "google.golang.org/grpc/cmd/protoc-gen-go-grpc",
    "connectrpc.com/connect/cmd/protoc-gen-connect-go",
  ];
  await run("go", ["build", "-o", `${bin}/`, ...plugins], { cwd: go });
  const template = {
    version: "v2",
    managed: {
      enabled: true,
      override: [{ file_option: "go_package_prefix", value: "sluice/bench/peers/gen" }],
    },
    plugins: plugins.map((plugin) => ({
      local: `${bin}/${plugin.slice(plugin.lastIndexOf("/") + 1)}`,
      out: `${go}/gen`,
      opt: "paths=source_relative",
    })),
    inputs: [{ directory: "proto" }],
  };
  const protos = ["data_collection", "file_upload"].flatMap((name) => ["--path", `proto/sluice/v1/${name}.proto`]);
  await run(Deno.execPath(), [...BUF, "generate", "--template", JSON.stringify(template), ...protos], { cwd: ROOT });
  // Without -trimpath, the folder's name would be a part of what the cache knows a package by.
  await run("go", ["build", "-trimpath", "-o", `${bin}/`, "./cmd/..."], { cwd: go, env: { CGO_ENABLED: "1" } });
  await run("go", ["install", `github.com/tus/tusd/v2/cmd/tusd@${TUSD}`], { env: { GOBIN: bin } });

  for (const name of ["grpc_js.mjs", "checks.mjs"]) await Deno.copyFile(`${HERE}${name}`, `${js}/${name}`);
  await Deno.writeTextFile(`${js}/package.json`, JSON.stringify({ private: true }));
  await run("npm", [
    ...["install", "--no-audit", "--no-fund", "--no-package-lock"],
    ...[`@grpc/grpc-js@${GRPC_JS}`, `@grpc/proto-loader@${PROTO_LOADER}`],
  ], { cwd: js });
  return { folder, versions: await versions(go) };
}

async function versions(go: string): Promise<Record<string, string>> {
  const { imports } = JSON.parse(await Deno.readTextFile(`${ROOT}deno.json`));
  const listed = await run("go", ["list", "-m", "-f", "{{.Path}} {{.Version}}", "all"], { cwd: go });
  const modules = new Map(listed.trim().split("\n").map((line) => line.split(" ") as [string, string]));
  const git = async (...args: string[]) => (await run("git", args, { cwd: ROOT })).trim();
  const commit = await git("rev-parse", "--short", "HEAD").catch(() => "unknown");
  const changed = await git("status", "--porcelain").catch(() => "");
  return {
    Sluice: `commit ${commit}${changed === "" ? "" : " and changes"}`,
    Deno: Deno.version.deno,
    V8: Deno.version.v8,
    Go: (await run("go", ["env", "GOVERSION"], { cwd: go })).trim().replace(/^go/, ""),
    "grpc-go": modules.get("google.golang.org/grpc") ?? "",
    "connect-go": modules.get("connectrpc.com/connect") ?? "",
    "go-sqlite3": modules.get("github.com/mattn/go-sqlite3") ?? "",
    Node: (await run("node", ["--version"])).trim(),
    "grpc-js": GRPC_JS,
    "proto-loader": PROTO_LOADER,
    "connect-es": String(imports["@connectrpc/connect"]).split("@").pop() ?? "",
    tusd: TUSD,
    h2load: (await run("h2load", ["--version"])).trim().split("/").pop() ?? "",
  };
}

interface RunOptions {
  readonly cwd?: string;
  readonly env?: Record<string, string>;
}

/** Standard output of a program that must succeed. */
async function run(program: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const output = await new Deno.Command(program, { args: [...args], ...options }).output();
  const decoder = new TextDecoder();
  const stdout = decoder.decode(output.stdout);
  if (output.success) return stdout;
  throw new Error(`${program} ${args.join(" ")} ended with ${output.code}: ${stdout}${decoder.decode(output.stderr)}`);
}

async function copyFolder(from: string, to: string): Promise<void> {
  await Deno.mkdir(to);
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    if (isDirectory) await copyFolder(`${from}/${name}`, `${to}/${name}`);
    else await Deno.copyFile(`${from}/${name}`, `${to}/${name}`);
  }
}
