/**
 * What all commands have in common: the client, where output goes, and the signal that ends them.
 *
 * @module
 */
import { homedir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createSluice, type Sluice, type SluiceEvent } from "../mod.ts";
import { createUploadMemory, type UploadMemory } from "../upload_memory.ts";
import { count } from "./format.ts";

/** The options of every command. */
export interface GlobalOptions {
  url: string;
  token?: string;
  json?: boolean;
  quiet?: boolean;
  state?: string;
  /** How long to go on trying while no server can be reached, ms. */
  wait?: number;
}

/** Runs the work of a command that goes on when it is run again, or of which `interrupted` says that it does not. */
export type RunOn = (work: (context: Context) => Promise<number>, interrupted?: string) => Promise<void>;

/** What a command works with. */
export interface Context {
  readonly url: string;
  readonly token: string | undefined;
  /** Gives up after `--wait`. */
  readonly sluice: Sluice;
  /** A client that never gives up, unless `--wait` says so: for what is to run on its own. */
  createPatient(): Sluice;
  readonly json: boolean;
  /** Whether progress is drawn: on a terminal, and unless it is not wanted. */
  readonly interactive: boolean;
  /** What is drawn on the terminal at the moment. */
  readonly terminal: Terminal;
  /** Where streams that are not finished are remembered. */
  readonly stateDir: string;
  readonly memory: UploadMemory;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
  /** A result: a line on standard output, or with `--json` the value. */
  result(value: unknown, text: string): void;
  /** Something worth knowing, on standard error. */
  note(text: string): void;
  /** Something that went wrong, on standard error. */
  warn(text: string): void;
}

/** A terminal with bars at its lower end. */
export interface Terminal {
  /** Writes above them; undefined while there are none. */
  above?: (text: string) => void;
}

export function createContext(options: GlobalOptions, signal: AbortSignal): Context {
  const stateDir = options.state ?? defaultStateDir();
  const { url, token, json = false, quiet = false, wait } = options;
  const interactive = process.stderr.isTTY === true && !json && !quiet;
  const terminal: Terminal = {};
  const write = (stream: typeof process.stdout | typeof process.stderr, given: string) => {
    const text = stream.isTTY ? printable(given) : given;
    if (terminal.above !== undefined && stream.isTTY) terminal.above(text);
    else stream.write(`${text}\n`);
  };
  const note = (text: string) => {
    if (!quiet) write(process.stderr, text);
  };
  const create = (giveUpMs: number | undefined) =>
    createSluice({
      url,
      token,
      stateDir,
      retry: giveUpMs === undefined ? {} : { giveUpMs, firstContactMs: giveUpMs },
      onEvent: noteEvents(note),
    });
  return {
    url,
    token,
    sluice: create(wait),
    createPatient: () => create(wait ?? Infinity),
    json,
    interactive,
    terminal,
    stateDir,
    memory: createUploadMemory(new URL(url).href, stateDir)!,
    signal,
    result(value, text) {
      try {
        write(process.stdout, json ? JSON.stringify(value, plainValue) : text);
      } catch (error) {
        // Deno throws what Node tells by an event.
        process.stdout.emit("error", error);
      }
    },
    note,
    warn: (text) => write(process.stderr, `sluice: ${text}`),
  };
}

/** Says what goes on from where, and that the server cannot be reached or can be again; not each time that it is tried. */
function noteEvents(note: (text: string) => void): (event: SluiceEvent) => void {
  let isOut = false;
  return (event) => {
    if (event.type === "resumed") note(`sluice: goes on where it was left: ${count(event.committed)} are stored`);
    if (event.type === "retry" && !isOut) note(`sluice: ${event.error.rawMessage}; trying again`);
    if (event.type === "receipt" && isOut) note("sluice: it goes on");
    if (event.type === "retry" || event.type === "receipt") isOut = event.type === "retry";
  };
}

/**
 * What others wrote, log lines and names of files, must not do anything to a terminal: no cursor moves, no title changes,
 * nothing is hidden.
 */
export function printable(text: string): string {
  // deno-lint-ignore no-control-regex -- it is these that are looked for
  return text.replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, "\uFFFD");
}

/** As the XDG Base Directory Specification has it; on Windows, where programs keep such things. */
function defaultStateDir(): string {
  const { SLUICE_STATE, XDG_STATE_HOME, LOCALAPPDATA } = process.env;
  if (SLUICE_STATE) return SLUICE_STATE;
  return join(XDG_STATE_HOME || LOCALAPPDATA || join(homedir(), ".local", "state"), "sluice");
}

/** Messages hold int64s, which are numbers in JSON as long as those are exact, and a type name that says nothing. */
function plainValue(key: string, value: unknown): unknown {
  if (key === "$typeName" || key === "$unknown") return undefined;
  if (typeof value !== "bigint") return value;
  return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
}
