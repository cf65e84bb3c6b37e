/**
 * A simulated disk that the processes of a machine share. A crash of a process takes nothing from it; a power cut takes
 * what was not synced (disk_data.ts).
 *
 * @module
 */
import { crc32 } from "node:zlib";
import type { Disk, DiskFile } from "../../store/blob/disk.ts";
import { Directory, FileData } from "./disk_data.ts";
import type { Latency, Process } from "./process.ts";
import type { World } from "./world.ts";

export class SimDisk {
  readonly #root = new Directory();
  /** Whether there is no room; what is there can be overwritten and removed. */
  isFull = false;
  /** Counts power cuts: what was under way at one never happens. */
  powerCuts = 0;

  constructor(private readonly world: World) {}

  open(process: Process): Disk {
    return new Handle(this, process);
  }

  powerCut(): void {
    this.powerCuts++;
    this.#root.powerCut(this.world.random);
    this.world.note("disk", `power cut: ${this.tree().join(" ")}`);
  }

  /** Paths of all files with their lengths. */
  tree(): string[] {
    const paths: string[] = [];
    const walk = (directory: Directory, path: string) => {
      for (const [name, node] of directory.entries()) {
        if (node instanceof Directory) walk(node, `${path}/${name}`);
        else paths.push(`${path}/${name}:${node.length}`);
      }
    };
    walk(this.#root, "");
    return paths.sort();
  }

  makeDirectory(path: string): void {
    let directory = this.#root;
    for (const name of parts(path)) {
      let next = directory.get(name);
      if (!next) directory.set(name, next = new Directory());
      if (next instanceof FileData) throw new Deno.errors.AlreadyExists(`${path} is a file`);
      directory = next;
    }
  }

  directory(path: string): Directory {
    let directory: Directory | FileData | undefined = this.#root;
    for (const name of parts(path)) directory = directory instanceof Directory ? directory.get(name) : undefined;
    if (!(directory instanceof Directory)) throw new Deno.errors.NotFound(`no directory ${path}`);
    return directory;
  }

  file(path: string): FileData {
    const { directory, name } = this.place(path);
    const file = directory.get(name);
    if (!(file instanceof FileData)) throw new Deno.errors.NotFound(`no file ${path}`);
    return file;
  }

  place(path: string): { directory: Directory; name: string } {
    const names = parts(path);
    const name = names.pop() ?? "";
    return { directory: this.directory(names.join("/")), name };
  }
}

const parts = (path: string) => path.split("/").filter((name) => name !== "" && name !== ".");

class Handle implements Disk {
  readonly #powerCuts: number;

  constructor(private readonly disk: SimDisk, private readonly process: Process) {
    this.#powerCuts = disk.powerCuts;
  }

  makeDirectory(path: string): Promise<void> {
    return this.#change(`mkdir ${path}`, () => this.disk.makeDirectory(path));
  }

  createNew(path: string): Promise<DiskFile> {
    return this.#change(`create ${path}`, () => {
      const { directory, name } = this.disk.place(path);
      if (directory.get(name)) throw new Deno.errors.AlreadyExists(`${path} exists`);
      if (this.disk.isFull) throw noSpace();
      const file = new FileData();
      file.changedAt = this.process.now();
      directory.set(name, file);
      return this.#file(path, file);
    });
  }

  open(path: string): Promise<DiskFile> {
    return this.#read(`open ${path}`, () => this.#file(path, this.disk.file(path)));
  }

  syncDirectory(path: string): Promise<void> {
    return this.#request(`sync directory ${path}`, () => {
      const directory = this.disk.directory(path);
      if (this.#fails("disk.syncError")) throw brokenDisk();
      directory.sync();
    });
  }

  async *list(path: string): AsyncGenerator<{ name: string; isDirectory: boolean }> {
    yield* await this.#read(
      `list ${path}`,
      () =>
        this.disk.directory(path).entries().map(([name, node]) => ({ name, isDirectory: node instanceof Directory })),
    );
  }

  changedAt(path: string): Promise<number> {
    return this.#read(`stat ${path}`, () => this.disk.file(path).changedAt);
  }

  remove(path: string): Promise<void> {
    return this.#change(`remove ${path}`, () => {
      this.disk.file(path);
      const { directory, name } = this.disk.place(path);
      directory.set(name, undefined);
    });
  }

  #file(path: string, file: FileData): DiskFile {
    const { disk, process } = this;
    let position = 0;
    let isOpen = true;
    const whileOpen = () => {
      if (!isOpen) throw new Deno.errors.BadResource("Bad resource ID");
    };
    return {
      write: (data) => {
        whileOpen();
        const bytes = data.slice();
        return this.#request(`write ${path} ${position} ${bytes.length}#${crc32(bytes).toString(16)}`, () => {
          const fails = this.#fails("disk.error");
          const isFull = disk.isFull && position + bytes.length > file.length;
          const part = fails || isFull ? bytes.subarray(0, process.world.random.between(0, bytes.length)) : bytes;
          file.write(position, part);
          file.changedAt = process.now();
          position += part.length;
          if (fails || isFull) throw isFull ? noSpace() : brokenDisk();
        });
      },
      readAt: (buffer, at) => {
        whileOpen();
        return this.#read(`read ${path} ${at}`, () => file.read(buffer, at), String);
      },
      syncData: () => {
        whileOpen();
        return this.#request(`sync ${path}`, () => {
          if (!this.#fails("disk.syncError")) return file.sync();
          if (process.world.random.chance(0.5)) file.forgetDirty();
          throw brokenDisk();
        });
      },
      close: () => {
        whileOpen();
        isOpen = false;
      },
    };
  }

  #read<T>(what: string, effect: () => T, show?: (value: T) => string): Promise<T> {
    return this.#request(what, () => {
      if (this.#fails("disk.readError")) throw brokenDisk();
      return effect();
    }, show);
  }

  #change<T>(what: string, effect: () => T): Promise<T> {
    return this.#request(what, () => {
      if (this.#fails("disk.error")) throw brokenDisk();
      return effect();
    });
  }

  #request<T>(what: string, effect: () => T, show?: (value: T) => string): Promise<T> {
    const effectWithPower = () => {
      if (this.disk.powerCuts !== this.#powerCuts) throw brokenDisk();
      return effect();
    };
    return this.process.request(what, this.#latency(), effectWithPower, show);
  }

  #fails(fault: "disk.error" | "disk.readError" | "disk.syncError"): boolean {
    return this.process.world.faults.happens(fault);
  }

  #latency(): Latency {
    const { world } = this.process;
    return { there: world.delay(world.faults.happens("disk.slow")), back: world.random.between(0, 1) };
  }
}

const brokenDisk = () => new Error("Input/output error (os error 5)");
const noSpace = () => new Error("No space left on device (os error 28)");
