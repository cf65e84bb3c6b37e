/**
 * What commands read: files, folders and patterns that were named, and standard input.
 *
 * @module
 */
import { createReadStream } from "node:fs";
import { lstat, readdir, realpath, stat } from "node:fs/promises";
import { dirname, extname, join, relative, resolve } from "node:path";
import process from "node:process";
import type { Context } from "./context.ts";
import { glob, isDynamicPattern } from "./deps.ts";
import { Exit } from "./exit.ts";

/** Stands for standard input. */
export const STDIN = "-";

/** What there is to say when a command is interrupted that sends these; undefined if it goes on. */
export function interruptedSending(args: readonly string[]): string | undefined {
  if (!args.includes(STDIN)) return undefined;
  return "interrupted: standard input cannot be read twice, so that the same command sends it from its beginning";
}

/** What arguments name. */
export interface Inputs {
  /** Files, each once. */
  readonly paths: readonly string[];
  /** The exit code for what could not be found. */
  readonly code: number;
}

/**
 * The files that arguments name: of folders all that are in them and below, but for hidden ones, of patterns all that fit.
 * What cannot be found or looked into is said, and does not stand in the way of the others.
 */
export async function expandPaths(context: Pick<Context, "note" | "warn">, args: readonly string[]): Promise<Inputs> {
  const paths = new Set<string>();
  let code: number = Exit.ok;
  const fail = (text: string) => {
    context.warn(text);
    code = Exit.refused;
  };
  for (const arg of args) {
    const info = arg === STDIN ? undefined : await stat(arg).catch(() => undefined);
    let found = [arg];
    if (info?.isDirectory()) {
      found = await filesIn(arg, { note: context.note, fail });
      if (found.length === 0) context.note(`${arg}: no files are in it`);
    } else if (info === undefined && arg !== STDIN && isDynamicPattern(arg)) {
      found = await fitting(arg, context.note);
      if (found.length === 0) fail(`no file fits the pattern ${arg}`);
    }
    // What is not there is found out when it is opened, and is then a failure of that file alone.
    for (const path of found) paths.add(path);
  }
  return { paths: [...paths], code };
}

/** All files that fit a pattern. Links are followed as in folders; those that the pattern names are what was asked for. */
async function fitting(pattern: string, note: (text: string) => void): Promise<string[]> {
  const parts = pattern.split("/");
  const fixed = parts.slice(0, parts.findIndex((part) => isDynamicPattern(part)));
  const base = resolve(pattern.startsWith("/") ? "/" : ".", ...fixed.filter((part) => part !== ""));
  const areLinks = new Map<string, boolean>();
  const leadsThroughLink = async (path: string): Promise<boolean> => {
    const folder = dirname(path);
    if (folder === base || folder === dirname(folder)) return false;
    let isLink = areLinks.get(folder);
    if (isLink === undefined) {
      isLink = (await lstat(folder)).isSymbolicLink();
      areLinks.set(folder, isLink);
      if (isLink) note(`${relative(".", folder)}: links to folders are not followed`);
    }
    return isLink || await leadsThroughLink(folder);
  };
  const paths: string[] = [];
  // Not by tinyglobby's option, with which links to files are left out too.
  for (const path of (await glob(pattern, { onlyFiles: true, expandDirectories: false })).sort()) {
    if (!await leadsThroughLink(resolve(path))) paths.push(path);
  }
  return paths;
}

/** All files in a folder and those below, by name. Links are followed to files, and not to folders: those may go round. */
async function filesIn(folder: string, tell: Record<"note" | "fail", (text: string) => void>): Promise<string[]> {
  const paths: string[] = [];
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: Error) => {
    tell.fail(`${folder}: ${error.message}`);
    return [];
  });
  for (const entry of entries.sort((a, b) => a.name < b.name ? -1 : 1)) {
    const path = join(folder, entry.name);
    if (entry.name.startsWith(".")) continue;
    if (entry.isDirectory()) paths.push(...await filesIn(path, tell));
    else if (entry.isFile()) paths.push(path);
    else if (entry.isSymbolicLink()) {
      const target = await stat(path).catch((error: Error) => tell.fail(`${path}: ${error.message}`));
      if (target?.isFile()) paths.push(path);
      if (target?.isDirectory()) tell.note(`${path}: links to folders are not followed`);
    }
  }
  return paths;
}

/**
 * The bytes of a file, or of standard input. It is opened when the first of them are asked for, so that what is wrong with
 * it is told to whoever asks.
 *
 * @param onRead told how much has been read.
 */
export async function* openInput(path: string, onRead?: (bytes: number) => void): AsyncGenerator<Uint8Array> {
  const stream = path === STDIN ? process.stdin : createReadStream(path, { highWaterMark: 256 * 1024 });
  let read = 0;
  for await (const piece of stream) {
    onRead?.(read += piece.length);
    yield piece;
  }
}

/** What tells a file from another, and from itself after it was changed; undefined for what cannot be read twice. */
export async function fingerprintOf(path: string): Promise<string | undefined> {
  if (path === STDIN) return undefined;
  const info = await stat(path);
  return info.isFile() ? `${await realpath(path)} ${info.size} ${info.mtimeMs}` : undefined;
}

/** Bytes of a file; undefined for what only tells when it has been read. */
export async function sizeOf(path: string): Promise<number | undefined> {
  const info = path === STDIN ? undefined : await stat(path);
  return info?.isFile() ? info.size : undefined;
}

/** The extension in lower case, with its dot; of a compressed or rotated file (`app.json.1`) the one before. */
export function extensionOf(path: string): string {
  return extname(path.replace(/\.\d+$/, "")).toLowerCase();
}
