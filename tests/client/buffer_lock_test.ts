import { assert, assertEquals, assertRejects } from "@std/assert";
import * as fs from "node:fs/promises";
import { lockByName, lockFile } from "../../client/buffer_lock.ts";
import { SluiceError } from "../../client/mod.ts";

async function withPath(work: (path: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "sluice-lock-" });
  try {
    await work(`${folder}/lock`);
    assert([...Deno.readDirSync(folder)].every(({ name }) => name === "lock"));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** A process that has ended. */
async function deadPid(): Promise<number> {
  const child = new Deno.Command(Deno.execPath(), { args: ["--version"], stdout: "null" }).spawn();
  await child.status;
  return child.pid;
}

for (const [name, lock] of Object.entries({ lockFile, lockByName })) {
  Deno.test(`${name}() is had by one at a time, and can be had again`, async () => {
    await withPath(async (path) => {
      for (let round = 0; round < 3; round++) {
        const unlock = await lock(fs, path);
        const error = await assertRejects(() => lock(fs, path), SluiceError, `in use by process ${Deno.pid}`);
        assertEquals([error.reason, error.retryable], ["buffer", false]);
        await unlock();
      }
    });
  });

  Deno.test(`${name}() of many at once is had by one`, async () => {
    await withPath(async (path) => {
      await Deno.writeTextFile(path, JSON.stringify({ pid: await deadPid(), process: "", held: false }));
      const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => lock(fs, path)));
      const had = outcomes.filter(({ status }) => status === "fulfilled") as PromiseFulfilledResult<
        () => Promise<void>
      >[];
      assertEquals(had.length, 1);
      await had[0].value();
    });
  });
}

Deno.test("lockFile() is given back also while other threads start processes, which have its file for a moment", async () => {
  const spawning = `for (;;) new Deno.Command("true").outputSync();`;
  const worker = new Worker(URL.createObjectURL(new Blob([spawning])), { type: "module" });
  try {
    await withPath(async (path) => {
      for (let round = 0; round < 1000; round++) await (await lockFile(fs, path))();
    });
  } finally {
    worker.terminate();
  }
});

Deno.test("lockByName() takes over what the dead have left, whoever has their pid now", async () => {
  await withPath(async (path) => {
    const dead = [
      JSON.stringify({ pid: await deadPid(), process: "", held: false }),
      JSON.stringify({ pid: Deno.pid, process: "another-boot 1", held: false }),
      // Released by Deno, or cut by a crash.
      "",
      "{",
    ];
    for (const text of dead) {
      await Deno.writeTextFile(path, text);
      await (await lockByName(fs, path))();
    }
  });
});

Deno.test("Deno's way and Node's respect each other", async () => {
  await withPath(async (path) => {
    const byName = await lockByName(fs, path);
    await assertRejects(() => lockFile(fs, path), SluiceError, "in use");
    await byName();
    const unlock = await lockFile(fs, path);
    await assertRejects(() => lockByName(fs, path), SluiceError, "in use");
    await unlock();
    await (await lockByName(fs, path))();
  });
});

Deno.test("lockFile() needs no permission but to read and write, and is free again after kill -9", async () => {
  await withPath(async (path) => {
    const module = new URL("../../client/buffer_lock.ts", import.meta.url).href;
    const code = `import { lockFile } from ${JSON.stringify(module)};
import * as fs from "node:fs/promises";
await lockFile(fs, ${JSON.stringify(path)});
console.log("locked");
await new Promise((resolve) => setTimeout(resolve, 1e9));`;
    const folder = path.slice(0, -"lock".length);
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", `--allow-read=${folder}`, `--allow-write=${folder}`, "-"],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(code));
    await writer.close();
    const reader = child.stdout.getReader();
    assertEquals(new TextDecoder().decode((await reader.read()).value), "locked\n");
    await assertRejects(() => lockFile(fs, path), SluiceError, `in use by process ${child.pid}`);
    child.kill("SIGKILL");
    await child.status;
    await reader.cancel();
    await (await lockFile(fs, path))();
  });
});
