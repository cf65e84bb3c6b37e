/**
 * Samples of this machine: its load, memory, CPU and disk.
 *
 * @module
 */
import type { PointInit } from "./mod.ts";

/** Bytes of a sector in /proc/diskstats, whatever the disk's own are. */
const SECTOR_BYTES = 512;

/** Counters that only ever grow; what is of interest is how fast. */
interface Counters {
  at: number;
  cpuBusy: number;
  cpuAll: number;
  diskRead: number;
  diskWritten: number;
}

/** One point every `everyMs` for `seconds`, as a live stream. */
export async function* sampleMachine(run: string, seconds: number, everyMs: number): AsyncGenerator<PointInit> {
  let before = await readCounters();
  const start = performance.now();
  for (let i = 1; i * everyMs <= seconds * 1000; i++) {
    await new Promise((resolve) => setTimeout(resolve, start + i * everyMs - performance.now()));
    const now = await readCounters();
    yield {
      source: Deno.hostname(),
      timestamp: Date.now(),
      metrics: { ...gauges(), ...rates(before, now) },
      tags: { run, os: Deno.build.os, arch: Deno.build.arch },
    };
    before = now;
  }
}

function gauges(): Record<string, number> {
  const memory = Deno.systemMemoryInfo();
  return {
    load_1m: Deno.loadavg()[0],
    memory_used_bytes: memory.total - memory.available,
    memory_free_bytes: memory.free,
  };
}

function rates(before: Counters, now: Counters): Record<string, number> {
  const seconds = (now.at - before.at) / 1000;
  if (seconds <= 0) return {};
  const all = now.cpuAll - before.cpuAll;
  return {
    // The kernel counts in hundredths of a second: in a short time, it may have counted nothing.
    ...(all > 0 ? { cpu_busy_share: (now.cpuBusy - before.cpuBusy) / all } : {}),
    disk_read_bytes_per_s: (now.diskRead - before.diskRead) / seconds,
    disk_written_bytes_per_s: (now.diskWritten - before.diskWritten) / seconds,
  };
}

/** All zero where there is no /proc. */
async function readCounters(): Promise<Counters> {
  const [stat, disks] = await Promise.all([readProc("stat"), readProc("diskstats")]);
  const cpu = (stat.split("\n")[0] ?? "").trim().split(/\s+/).slice(1).map(Number);
  // user nice system idle iowait irq softirq steal; what follows is in user and nice already.
  const cpuAll = sum(cpu.slice(0, 8));
  const counters = {
    at: performance.now(),
    cpuAll,
    cpuBusy: cpuAll - sum(cpu.slice(3, 5)),
    diskRead: 0,
    diskWritten: 0,
  };
  for (const line of disks.split("\n")) {
    const fields = line.trim().split(/\s+/);
    // Whole disks only: what a partition does, its disk counts too.
    if (!/^(sd[a-z]+|vd[a-z]+|xvd[a-z]+|nvme\d+n\d+|mmcblk\d+)$/.test(fields[2] ?? "")) continue;
    counters.diskRead += Number(fields[5]) * SECTOR_BYTES;
    counters.diskWritten += Number(fields[9]) * SECTOR_BYTES;
  }
  return counters;
}

async function readProc(name: string): Promise<string> {
  try {
    return await Deno.readTextFile(`/proc/${name}`);
  } catch {
    return "";
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, n) => total + n, 0);
}
