/**
 * Makes gen/ from proto/ and client/; with `--check` only says whether it is what they make.
 *
 * @module
 */
import { writeClientModule } from "./client_module.ts";
import { BUF, deno, ROOT } from "./run.ts";

if (!Deno.args.includes("--check")) {
  Deno.exit(await deno(...BUF, "generate") && await writeClientModule(`${ROOT}gen`) ? 0 : 1);
}

const fresh = await Deno.makeTempDir({ prefix: "sluice-gen-" });
try {
  if (!await deno(...BUF, "generate", "-o", fresh) || !await writeClientModule(`${fresh}/gen`)) Deno.exit(1);
  const [made, committed] = [await contents(`${fresh}/gen`), await contents(`${ROOT}gen`)];
  const stale = [...new Set([...made.keys(), ...committed.keys()])].filter((p) => made.get(p) !== committed.get(p));
  if (stale.length > 0) {
    console.error(`gen/ is stale, run deno task gen: ${stale.join(", ")}`);
    Deno.exit(1);
  }
} finally {
  await Deno.remove(fresh, { recursive: true });
}

async function contents(folder: string, prefix = "", into = new Map<string, string>()): Promise<Map<string, string>> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory) await contents(`${folder}/${name}`, `${prefix}${name}/`, into);
    else into.set(prefix + name, await Deno.readTextFile(`${folder}/${name}`));
  }
  return into;
}
