/**
 * What the file store asks of a disk. A simulation has one that forgets what was not synced.
 *
 * @module
 */

/** A file that is open. Not for concurrent use. */
export interface DiskFile {
  /** Writes all of `data` where the last write ended. */
  write(data: Uint8Array): Promise<void>;
  /** Fills `buffer` from `position` on as far as it goes; returns how many bytes it read, 0 at the end. */
  readAt(buffer: Uint8Array, position: number): Promise<number>;
  /** fdatasync: the bytes survive a crash; the file's name only if its directory was synced. */
  syncData(): Promise<void>;
  close(): void;
}

/** A name in a directory. */
export interface DiskEntry {
  readonly name: string;
  readonly isDirectory: boolean;
}

/** Throws Deno.errors.NotFound and Deno.errors.AlreadyExists where they apply. */
export interface Disk {
  /** Makes the directory and those above it. */
  makeDirectory(path: string): Promise<void>;
  /** A new file to write to. */
  createNew(path: string): Promise<DiskFile>;
  open(path: string): Promise<DiskFile>;
  /** fsync of a directory: the names in it survive a crash. */
  syncDirectory(path: string): Promise<void>;
  list(path: string): AsyncIterable<DiskEntry>;
  /** Time of a file's last change, ms since the epoch. */
  changedAt(path: string): Promise<number>;
  remove(path: string): Promise<void>;
}

export const systemDisk: Disk = {
  makeDirectory: (path) => Deno.mkdir(path, { recursive: true }),
  createNew: async (path) => systemFile(await Deno.open(path, { write: true, createNew: true })),
  open: async (path) => systemFile(await Deno.open(path)),
  async syncDirectory(path) {
    using directory = await Deno.open(path);
    await directory.sync();
  },
  list: (path) => Deno.readDir(path),
  changedAt: async (path) => (await Deno.stat(path)).mtime?.getTime() ?? 0,
  remove: (path) => Deno.remove(path),
};

function systemFile(file: Deno.FsFile): DiskFile {
  return {
    async write(data) {
      for (let rest = data; rest.length > 0;) rest = rest.subarray(await file.write(rest));
    },
    async readAt(buffer, position) {
      await file.seek(position, Deno.SeekMode.Start);
      let read = 0;
      while (read < buffer.length) {
        const n = await file.read(buffer.subarray(read));
        if (n === null) break;
        read += n;
      }
      return read;
    },
    syncData: () => file.syncData(),
    close: () => file.close(),
  };
}
