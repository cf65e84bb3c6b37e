/**
 * A disk of a few MiB, which a test can fill to the last byte: a tmpfs, in a mount namespace where this user may not
 * mount one otherwise.
 *
 * @module
 */
import { MIB } from "../../limits.ts";

export interface SmallDisk extends AsyncDisposable {
  readonly path: string;
  /** Fills it, to the last byte. */
  fill(): Promise<void>;
  /** Takes away what filled it. */
  clear(): Promise<void>;
}

export async function makeSmallDisk(mib: number): Promise<SmallDisk> {
  const mountPoint = await Deno.makeTempDir({ prefix: "sluice-test-" });
  const options = ["-t", "tmpfs", "-o", `size=${mib}m`, "sluice-test", mountPoint];
  const mounted = await run("mount", options);
  // A process that holds a namespace of its own open; what is mounted there is reached by way of /proc.
  const holder = mounted ? undefined : await holdNamespace(options);
  const path = holder ? `/proc/${holder.pid}/root${mountPoint}` : mountPoint;
  const ballast = `${path}/ballast`;
  return {
    path,
    async fill() {
      using file = await Deno.open(ballast, { write: true, create: true, append: true });
      // In ever smaller parts, for one that does not fit whole is not written at all, or not to its end.
      for (let size = MIB; size >= 1; size >>= 2) {
        const part = new Uint8Array(size).fill(1);
        try {
          for (;;) await file.write(part);
        } catch {
          // Full for parts of this size.
        }
      }
    },
    clear: () => Deno.remove(ballast),
    async [Symbol.asyncDispose]() {
      if (holder) {
        holder.kill("SIGKILL");
        await holder.status;
      } else if (!await run("umount", ["-l", mountPoint])) throw new Error(`cannot unmount ${mountPoint}`);
      await Deno.remove(mountPoint);
    },
  };
}

async function holdNamespace(mountOptions: readonly string[]): Promise<Deno.ChildProcess> {
  const script = 'mount "$@" && echo mounted && exec sleep infinity';
  const holder = new Deno.Command("unshare", {
    args: ["--map-root-user", "--mount", "sh", "-c", script, "sh", ...mountOptions],
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const reader = holder.stdout.getReader();
  const { value } = await reader.read();
  void reader.cancel();
  if (value === undefined) throw new Error("Cannot mount a small disk: neither `mount` nor `unshare` permits it");
  return holder;
}

async function run(program: string, args: readonly string[]): Promise<boolean> {
  const { success } = await new Deno.Command(program, { args: [...args], stderr: "null" }).output();
  return success;
}
