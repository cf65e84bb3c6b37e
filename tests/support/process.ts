/**
 * What a process costs.
 *
 * @module
 */

/** How much a process's resident memory grows at the most while `fn` runs, in bytes. */
export async function memoryGrowth(pid: number, fn: () => Promise<void>): Promise<number> {
  // 5: forget the peak so far, see proc_pid_clear_refs(5).
  await Deno.writeTextFile(`/proc/${pid}/clear_refs`, "5");
  const before = await statusBytes(pid, "VmRSS");
  await fn();
  return await statusBytes(pid, "VmHWM") - before;
}

async function statusBytes(pid: number, name: string): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  return Number(new RegExp(`^${name}:\\s*(\\d+) kB$`, "m").exec(status)?.[1]) * 1024;
}
