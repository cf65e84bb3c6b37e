import { assertEquals, assertRejects } from "@std/assert";
import { Code, ConnectError } from "@connectrpc/connect";
import { ulid } from "ulid";
import { type Disk, type DiskFile, systemDisk } from "../../../store/blob/disk.ts";
import { createFileBlobStore } from "../../../store/blob/file.ts";
import { bytes, read } from "../../contract/blob_contract.ts";

const IDS = ["01M6BHD3A01F8E3H35PWNC3VAA", "01M6BHD3A01F8E3H35PWNC4VAA"];

/** The system's disk, which writes down what it does, and refuses what `refuse` says. */
function watched(dir: string, refuse: (call: string) => boolean = () => false) {
  const calls: string[] = [];
  const call = <T>(what: string, path: string, fn: () => Promise<T>): Promise<T> => {
    const text = `${what} ${path.slice(dir.length)}`.trim();
    calls.push(text);
    return refuse(text) ? Promise.reject(new Error("no space left on device")) : fn();
  };
  const disk: Disk = {
    ...systemDisk,
    createNew: (path) =>
      call("create", path, async (): Promise<DiskFile> => {
        const file = await systemDisk.createNew(path);
        return {
          ...file,
          write: (data) => call("write", path, () => file.write(data)),
          syncData: () => call("fdatasync", path, () => file.syncData()),
        };
      }),
    syncDirectory: (path) => call("fsync", path, () => systemDisk.syncDirectory(path)),
  };
  return { disk, calls };
}

async function withDirectory(fn: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir();
  try {
    await fn(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

Deno.test("createFileBlobStore() syncs the directory of a new piece, and once the one above", () =>
  withDirectory(async (dir) => {
    const { disk, calls } = watched(dir);
    const store = createFileBlobStore(dir, disk);
    for (const id of IDS) {
      const piece = await store.create(id, 1);
      await piece.append(bytes(10));
      await piece.sync(true);
      await piece.seal();
    }
    const [a, b] = IDS.map((id) => `/AA/${id}.1`);
    assertEquals(calls, [
      ...[`create ${a}`, "fsync /AA", "fsync", `write ${a}`, `fdatasync ${a}`],
      ...[`create ${b}`, "fsync /AA", `write ${b}`, `fdatasync ${b}`],
    ]);
  }));

Deno.test("createFileBlobStore() syncs the directory above again if that has failed", () =>
  withDirectory(async (dir) => {
    let refusing = true;
    const { disk, calls } = watched(dir, (call) => refusing && call === "fsync");
    const store = createFileBlobStore(dir, disk);
    const error = await assertRejects(() => store.create(IDS[0], 1), ConnectError);
    assertEquals(error.code, Code.Unavailable);
    refusing = false;
    await (await store.create(IDS[0], 2)).seal();
    await (await store.create(IDS[0], 3)).seal();
    assertEquals(calls.filter((call) => call === "fsync").length, 2);
  }));

Deno.test("createFileBlobStore() lets a piece take no more once the disk has refused", () =>
  withDirectory(async (dir) => {
    for (const refused of ["write", "fdatasync"]) {
      let refusing = false;
      const { disk } = watched(dir, (call) => refusing && call.startsWith(refused));
      const store = createFileBlobStore(dir, disk);
      const id = ulid();
      const piece = await store.create(id, 1);
      await piece.append(bytes(10));
      const { length } = await piece.sync(true);
      refusing = true;
      const use = async () => {
        await piece.append(bytes(10));
        await piece.sync(true);
      };
      assertEquals((await assertRejects(use, ConnectError)).code, Code.Unavailable);
      // A sync that succeeds after one that failed proves nothing of the bytes before.
      refusing = false;
      assertEquals((await assertRejects(() => piece.sync(true), ConnectError)).code, Code.Unavailable);
      assertEquals((await assertRejects(() => piece.append(bytes(1)), ConnectError)).code, Code.Unavailable);
      await piece.seal();
      assertEquals(await read(store, id, [{ epoch: 1, length }], 0, length), bytes(10));
    }
  }));
