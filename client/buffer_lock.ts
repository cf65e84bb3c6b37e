/**
 * One owner at a time of a folder: two would give the same place in a stream to different items.
 *
 * In Deno it is a lock of the operating system on the file, which ends with the process whatever happens. Node has none,
 * so there it is the file itself, which says who made it; left behind by one that was killed, it is taken over. The pid
 * alone would not tell: after a restart of the machine, or in a container, somebody else may have it.
 *
 * @module
 */
import { bufferError } from "./buffer_store.ts";
import { Code } from "./deps.ts";

type Fs = typeof import("node:fs/promises");

/** Who has a lock. */
interface Owner {
  pid: number;
  /** What tells the process from others that have had its pid; empty where nothing does. */
  process: string;
  /** Whether the operating system holds the lock, so that what the file says counts for nothing without it. */
  held: boolean;
}

/** Files of Deno, as far as they are needed here. */
interface DenoFiles {
  open(path: string, options: { read: true; write: true; create: true }): Promise<{
    tryLock(exclusive: boolean): Promise<boolean>;
    unlock(): Promise<void>;
    truncate(length: number): Promise<void>;
    close(): void;
  }>;
}

/** Takes a lock. @returns what gives it back. @throws {SluiceError} `buffer` if somebody else has it. */
export async function lockFile(fs: Fs, path: string): Promise<() => Promise<void>> {
  const { Deno } = globalThis as { Deno?: DenoFiles };
  return Deno === undefined ? await lockByName(fs, path) : await lockBySystem(fs, path, Deno);
}

async function lockBySystem(fs: Fs, path: string, Deno: DenoFiles): Promise<() => Promise<void>> {
  const file = await Deno.open(path, { read: true, write: true, create: true });
  try {
    const locked = await file.tryLock(true);
    const owner = await readOwner(fs, path);
    if (!locked || owner !== undefined && !owner.held && await isAlive(fs, owner)) throw inUse(path, owner);
    const { pid } = await import("node:process");
    await fs.writeFile(path, JSON.stringify({ pid, process: "", held: true } satisfies Owner));
  } catch (error) {
    file.close();
    throw error;
  }
  return async () => {
    await file.truncate(0);
    // Closing alone does not end it while a child process that is just being started has the same file.
    await file.unlock();
    file.close();
  };
}

/** The way of Node. */
export async function lockByName(fs: Fs, path: string): Promise<() => Promise<void>> {
  const beside = `${path}.${crypto.randomUUID()}`;
  const { pid } = await import("node:process");
  const here: Owner = { pid, process: await processOf(fs, pid), held: false };
  await fs.writeFile(beside, JSON.stringify(here));
  const unlock = () => fs.rm(path, { force: true });
  try {
    if (await linkTo(fs, beside, path)) return unlock;
    await assertDead(fs, path);
    // One at a time takes it from the dead, and looks again: another may have done so just now.
    const taking = `${path}.taking`;
    if (!await linkTo(fs, beside, taking)) {
      const { mtimeMs } = await fs.stat(taking).catch(() => ({ mtimeMs: Infinity }));
      if (Date.now() - mtimeMs > TAKING_MS) await fs.rm(taking, { force: true });
      throw inUse(path, undefined);
    }
    try {
      await assertDead(fs, path);
      await unlock();
      if (await linkTo(fs, beside, path)) return unlock;
      throw inUse(path, undefined);
    } finally {
      await fs.rm(taking, { force: true });
    }
  } finally {
    await fs.rm(beside, { force: true });
  }
}

/** How long to take a lock from the dead can take, ms. Whoever died over it is out of the way after that. */
const TAKING_MS = 10_000;

/** Puts a file where none is, with all that is in it. @returns whether none was. */
async function linkTo(fs: Fs, from: string, to: string): Promise<boolean> {
  try {
    await fs.link(from, to);
    return true;
  } catch (error) {
    if ((error as { code?: string }).code === "EEXIST") return false;
    throw error;
  }
}

async function assertDead(fs: Fs, path: string): Promise<void> {
  const owner = await readOwner(fs, path);
  if (owner !== undefined && await isAlive(fs, owner)) throw inUse(path, owner);
}

/** When a process began, in a boot of the machine; empty where that cannot be read. */
async function processOf(fs: Fs, pid: number): Promise<string> {
  try {
    const boot = await fs.readFile("/proc/sys/kernel/random/boot_id", "utf8");
    // After the name, which stands in parentheses and may hold any: field 22 is when it began. See proc_pid_stat(5).
    const stat = await fs.readFile(`/proc/${pid}/stat`, "utf8");
    return `${boot.trim()} ${stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]}`;
  } catch {
    return "";
  }
}

async function isAlive(fs: Fs, { pid, process: was }: Owner): Promise<boolean> {
  try {
    (await import("node:process")).kill(pid, 0);
  } catch (error) {
    // Not permitted to ask: it may be.
    if ((error as { code?: string }).code === "ESRCH") return false;
  }
  const is = await processOf(fs, pid);
  return was === "" || is === "" || is === was;
}

async function readOwner(fs: Fs, path: string): Promise<Owner | undefined> {
  try {
    const owner = JSON.parse(await fs.readFile(path, "utf8"));
    return Number.isSafeInteger(owner.pid) && typeof owner.process === "string" ? owner : undefined;
  } catch {
    return undefined;
  }
}

function inUse(path: string, owner: Owner | undefined) {
  const who = owner === undefined ? "another process" : `process ${owner.pid}`;
  return bufferError(`The buffer is in use by ${who}, which has locked ${path}: one writer at a time can have it`, {
    code: Code.FailedPrecondition,
  });
}
