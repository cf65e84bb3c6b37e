/**
 * Checks that imports go down only, that services stay free of the platform, and that files stay short.
 *
 * @module
 */
import { posix } from "node:path";
import { ROOT, sources } from "./run.ts";

const MAX_LINES = 300;

/** What each folder, or file, may import of the project besides itself. Nobody else is asked: main.ts, tests, scripts. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  "workers/": ["server.ts", "config.ts", "clock.ts", "http/", "http2/", "rpc/log.ts", "limits.ts"],
  "server.ts": [
    ...["http/", "http1/", "http2/", "rpc/", "decode/", "services/", "store/", "gen/"],
    ...["config.ts", "limits.ts", "clock.ts", "errors.ts"],
  ],
  "http/": ["http1/", "http2/", "limits.ts", "clock.ts"],
  "http1/": ["http2/"],
  "http2/": [],
  "rpc/": [
    "abortable.ts",
    "decode/",
    "services/",
    "store/types.ts",
    "store/stream_types.ts",
    "gen/",
    "limits.ts",
    "errors.ts",
    "clock.ts",
  ],
  "decode/": ["gen/sluice/v1/", "limits.ts"],
  "services/": [
    "abortable.ts",
    "decode/",
    "store/types.ts",
    "store/stream_types.ts",
    "store/log_types.ts",
    "store/log_condition.ts",
    "store/deletion_types.ts",
    "store/format/",
    "gen/",
    "limits.ts",
    "errors.ts",
    "clock.ts",
  ],
  "store/": ["gen/sluice/store/", "limits.ts", "errors.ts", "clock.ts"],
  "store/format/": ["store/types.ts", "store/log_types.ts", "store/log_condition.ts", "limits.ts", "errors.ts"],
  "client/": ["gen/"],
  "std/": [],
  "abortable.ts": [],
  "limits.ts": [],
  "clock.ts": [],
  "errors.ts": ["gen/google/"],
  "config.ts": ["limits.ts", "rpc/cors.ts", "services/log_rules.ts", "store/open.ts"],
};

const IMPORT = /(?:^|\n)\s*(?:import|export)\s(?:[^"';]*?\sfrom\s)?["'](\.[^"']+)["']/g;
const faults: string[] = [];
for await (const path of sources()) {
  const text = await Deno.readTextFile(ROOT + path);
  const lines = text.split("\n").length - 1;
  if (lines > MAX_LINES && !/(^limits|tables?)\.ts$/.test(path)) {
    faults.push(`${path} has ${lines} lines: at most ${MAX_LINES}`);
  }
  const layer = Object.keys(MAY_IMPORT).filter((l) => path.startsWith(l)).sort((a, b) => b.length - a.length)[0];
  if (layer === undefined) continue;
  for (const [, specifier] of text.matchAll(IMPORT)) {
    const target = posix.join(posix.dirname(path), specifier);
    const allowed = target.startsWith(layer) || MAY_IMPORT[layer].some((l) => target.startsWith(l));
    if (!allowed) faults.push(`${path} imports ${target}, which ${layer} may not`);
  }
  const code = text.replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, "");
  if (/^(services|store\/format)\//.test(path) && /\bDeno\./.test(code)) faults.push(`${path} uses the Deno namespace`);
}
if (faults.length > 0) {
  console.error(faults.join("\n"));
  Deno.exit(1);
}
