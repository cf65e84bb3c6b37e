/**
 * The client as an npm package: its sources with npm's own specifiers in place of Deno's, compiled by tsc to one
 * JavaScript and one declaration file each. Nothing is turned into older JavaScript, and nothing is bundled. What it depends
 * on stands in its node_modules, for `npm install FOLDER` makes no more than a link to the folder; npm takes none of that
 * along when it packs the package.
 *
 * @module
 */
import { dirname } from "node:path";
import { ROOT } from "./run.ts";

/** The last that has an API, which what makes one file of declarations needs. */
export const TYPESCRIPT = "6.0.3";
/** The declarations of what Node 20 has. */
const NODE_TYPES = "20";

/** What a user imports, and what it is in the sources. */
const ENTRIES: Readonly<Record<string, string>> = {
  ".": "client/mod",
  "./readers/csv": "client/readers/csv",
  "./readers/logfmt": "client/readers/logfmt",
  "./readers/ndjson": "client/readers/ndjson",
  "./readers/plain": "client/readers/plain",
  "./readers/prometheus": "client/readers/prometheus",
};
const COMMAND = "client/cli";

/** `npm:name@version/path`: the name, the version, the path with its slash. */
const SPECIFIER = /"npm:(@?[^"@]+)@([^"/]+)(\/[^"]*)?"/g;

/** Builds the package in a folder, which is emptied before; returns whether it compiled. */
export async function buildPackage(folder: string): Promise<boolean> {
  await Deno.remove(folder, { recursive: true }).catch(ignoreMissing);
  const work = await Deno.makeTempDir({ prefix: "sluice-npm-" });
  try {
    const dependencies = await copySources(work);
    await Deno.writeTextFile(`${work}/package.json`, json(manifest(dependencies)));
    await Deno.writeTextFile(`${work}/tsconfig.json`, json(CONFIG));
    if (!await run(work, ["install", "--quiet"])) return false;
    // tsc ends with the number of its complaints.
    if (!await run(work, ["run", "-A", `npm:typescript@${TYPESCRIPT}/tsc`])) return false;
    await Deno.mkdir(dirname(`${folder}/x`), { recursive: true });
    await copyTree(`${work}/out`, folder);
    const { devDependencies: _, ...published } = manifest(dependencies);
    await Deno.writeTextFile(`${folder}/package.json`, json(published));
    await Deno.writeTextFile(`${folder}/README.md`, README);
    return await addDependencies(folder, published);
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

/** Installs them elsewhere, where no configuration of Deno's lies above. */
async function addDependencies(folder: string, published: unknown): Promise<boolean> {
  const work = await Deno.makeTempDir({ prefix: "sluice-npm-" });
  try {
    await Deno.writeTextFile(`${work}/package.json`, json(published));
    if (!await run(work, ["install", "--quiet"])) return false;
    await copyTree(`${work}/node_modules`, `${folder}/node_modules`);
    return true;
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

const CONFIG = {
  compilerOptions: {
    target: "ES2022",
    lib: ["ES2023", "DOM", "DOM.Iterable", "DOM.AsyncIterable", "ESNext.Disposable"],
    module: "NodeNext",
    strict: true,
    declaration: true,
    skipLibCheck: true,
    types: ["node"],
    rootDir: ".",
    outDir: "out",
  },
  files: [...Object.values(ENTRIES), COMMAND].map((path) => `${path}.ts`),
};

/** Copies client/ and gen/, rewritten; returns what they take from npm. */
async function copySources(work: string): Promise<Record<string, string>> {
  const dependencies = new Map<string, string>();
  const copy = async (folder: string): Promise<void> => {
    await Deno.mkdir(`${work}/${folder}`, { recursive: true });
    for await (const { name, isDirectory } of Deno.readDir(`${ROOT}${folder}`)) {
      const path = `${folder}/${name}`;
      if (isDirectory) await copy(path);
      // What is made from the package is none of its sources.
      if (!name.endsWith(".ts") || path === "gen/client/module.ts") continue;
      const text = await Deno.readTextFile(`${ROOT}${path}`);
      for (const [, name, version] of text.matchAll(SPECIFIER)) dependencies.set(name, rangeOf(version));
      await Deno.writeTextFile(`${work}/${path}`, rewrite(text));
    }
  };
  for (const folder of ["client", "gen"]) await copy(folder);
  return Object.fromEntries([...dependencies].sort());
}

/** Of an exact version, those that npm takes for compatible. */
function rangeOf(version: string): string {
  return /^\d+\.\d+\.\d+$/.test(version) || /^\d+$/.test(version) ? `^${version}` : version;
}

function rewrite(text: string): string {
  return text.replaceAll(SPECIFIER, (_, name, _version, path = "") => `"${name}${path}"`)
    .replaceAll(/(\b(?:from|import)\s*\(?\s*)"(\.[^"]+)\.ts"/g, '$1"$2.js"')
    .replace(/^#!.*\n/, "#!/usr/bin/env node\n");
}

function manifest(dependencies: Record<string, string>) {
  return {
    name: "sluice-client",
    version: "0.1.0",
    description: "Sends files, data points and logs to a Sluice server, each item exactly once",
    type: "module",
    engines: { node: ">=20" },
    exports: Object.fromEntries(
      Object.entries(ENTRIES).map(([name, path]) => [name, { types: `./${path}.d.ts`, default: `./${path}.js` }]),
    ),
    types: `./${ENTRIES["."]}.d.ts`,
    bin: { sluice: `./${COMMAND}.js` },
    sideEffects: false,
    dependencies,
    devDependencies: { "@types/node": NODE_TYPES, typescript: TYPESCRIPT },
  };
}

const README = `# sluice-client

Sends files, data points and logs to a Sluice server, each item exactly once, and reads them back.

\`\`\`ts
import { createSluice } from "sluice-client";

const sluice = createSluice({ url: "http://127.0.0.1:8080" });
await sluice.sendPoints([{ source: "host-1", timestamp: Date.now(), metrics: { cpu: 42.5 } }]);
\`\`\`

\`npx sluice --help\` shows what the command can do.
`;

async function run(cwd: string, args: string[]): Promise<boolean> {
  return (await new Deno.Command(Deno.execPath(), { args, cwd }).spawn().status).success;
}

async function copyTree(from: string, to: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const { name, isDirectory, isSymlink } of Deno.readDir(from)) {
    if (isDirectory) await copyTree(`${from}/${name}`, `${to}/${name}`);
    else if (isSymlink) await Deno.symlink(await Deno.readLink(`${from}/${name}`), `${to}/${name}`);
    else await Deno.copyFile(`${from}/${name}`, `${to}/${name}`);
  }
}

function json(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}
