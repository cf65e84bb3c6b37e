/**
 * What processes take, from /proc (Linux).
 *
 * @module
 */

/** The most memory that a process and those it started had resident, each at its own peak, in bytes. */
export async function peakMemory(pid: number): Promise<number> {
  const parents = new Map<number, number>();
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await Deno.readTextFile(`/proc/${name}/stat`).catch(() => "");
    // After the program's name, which stands in brackets: state and parent. See proc_pid_stat(5).
    parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]));
  }
  const tree = [pid];
  for (const member of tree) {
    for (const [child, parent] of parents) if (parent === member) tree.push(child);
  }
  let bytes = 0;
  for (const member of tree) {
    const status = await Deno.readTextFile(`/proc/${member}/status`).catch(() => "");
    bytes += Number(/^VmHWM:\s*(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
  }
  return bytes;
}
