/**
 * What commands read: files, folders and patterns that were named, and standard input.
 *
 * @module
 */
import { createReadStream } from "node:fs";
import { readdir, realpath, stat } from "node:fs/promises";
import { extname, join } from "node:path";
import process from "node:process";
import { glob, isDynamicPattern } from "./deps.ts";

/** Stands for standard input. */
export const STDIN = "-";

/** The files that arguments name, each once: folders with all that is in them, patterns with all that they fit. */
export async function expandPaths(args: readonly string[]): Promise<string[]> {
  const paths = new Set<string>();
  for (const arg of args) {
    const info = arg === STDIN ? undefined : await stat(arg).catch(() => undefined);
    if (info?.isDirectory()) { for (const path of await filesIn(arg)) paths.add(path); }
    else if (info === undefined && arg !== STDIN && isDynamicPattern(arg)) {
      const found = (await glob(arg, { onlyFiles: true, expandDirectories: false })).sort();
      if (found.length === 0) throw new Error(`no file fits the pattern ${arg}`);
      for (const path of found) paths.add(path);
      // What is not there is found out when it is opened, and is then a failure of that file alone.
    } else paths.add(arg);
  }
  return [...paths];
}

/** All files in a folder and those below, but for hidden ones, by name. */
async function filesIn(folder: string): Promise<string[]> {
  const paths: string[] = [];
  const entries = await readdir(folder, { withFileTypes: true });
  for (const entry of entries.sort((a, b) => a.name < b.name ? -1 : 1)) {
    const path = join(folder, entry.name);
    if (entry.name.startsWith(".")) continue;
    if (entry.isDirectory()) paths.push(...await filesIn(path));
    else if (entry.isFile()) paths.push(path);
  }
  return paths;
}

/** The bytes of a file, or of standard input. */
export function openInput(path: string): AsyncIterable<Uint8Array> {
  return path === STDIN ? process.stdin : createReadStream(path, { highWaterMark: 256 * 1024 });
}

/** What tells a file from another, and from itself after it was changed; undefined for what cannot be read twice. */
export async function fingerprintOf(path: string): Promise<string | undefined> {
  if (path === STDIN) return undefined;
  const info = await stat(path);
  return info.isFile() ? `${await realpath(path)} ${info.size} ${info.mtimeMs}` : undefined;
}

/** The extension in lower case, with its dot; of a compressed or rotated file (`app.json.1`) the one before. */
export function extensionOf(path: string): string {
  return extname(path.replace(/\.\d+$/, "")).toLowerCase();
}
