import { assert, assertEquals, assertRejects } from "@std/assert";
import { Code, ConnectError } from "@connectrpc/connect";
import { createHash } from "node:crypto";
import { UPLOAD_MEMORY_MS, UPLOADS_COLLECTED_EVERY, UPLOADS_REMEMBERED } from "../../client/limits.ts";
import { createSluice, SluiceError } from "../../client/mod.ts";
import { createUploadMemory, UploadMemory } from "../../client/upload_memory.ts";
import { FileUploadService } from "../../gen/sluice/v1/file_upload_pb.ts";
import { StreamService } from "../../gen/sluice/v1/stream_pb.ts";
import { startServer } from "../support/server.ts";
import { serveConnect } from "./fake_server.ts";

const DATA = new Uint8Array(5000).fill(97);
const FILE = new File([DATA], "a.txt", { lastModified: 1 });

/** A client with a folder for its state, and a server that answers uploads as the test says. */
async function withMemory(
  upload: (streamId: string) => void | { committed: bigint } | { checksum: string },
  committed: () => number,
  run: (sluice: ReturnType<typeof createSluice>, states: () => string[]) => Promise<void>,
) {
  await using server = serveConnect((router) => {
    router.service(FileUploadService, {
      async uploadFile(chunks, context) {
        for await (const _ of chunks);
        const checksum = createHash("sha256").update(DATA).digest("hex");
        const answer = upload(context.requestHeader.get("sluice-stream-id")!);
        return { fileId: "id", totalSize: BigInt(DATA.length), checksum, ...answer };
      },
    });
    router.service(StreamService, { getStream: () => ({ stream: { committed: BigInt(committed()) } }) });
  });
  const stateDir = await Deno.makeTempDir();
  try {
    const sluice = createSluice({ url: server.url, stateDir, random: () => 0, retry: { baseMs: 1, maxFailures: 5 } });
    await run(sluice, () => [...Deno.readDirSync(stateDir)].map(({ name }) => name));
  } finally {
    await Deno.remove(stateDir, { recursive: true });
  }
}

Deno.test("uploadFile(): a remembered upload of a file that only looked the same begins anew", async () => {
  const refuses = (code: Code) => () => {
    throw new ConnectError("refused", code);
  };
  let committed = 1000;
  const outcomes: Record<string, () => void | { checksum: string }> = {
    "what it has is of another": refuses(Code.DataLoss),
    "what it has is another": refuses(Code.AlreadyExists),
    "it has expired": refuses(Code.FailedPrecondition),
    "what it stored is another": () => ({ checksum: "00" }),
    "what it had is lost": () => {
      committed = 0;
      refuses(Code.Unavailable)();
    },
  };
  for (const [what, answer] of Object.entries(outcomes)) {
    const ids = new Set<string>();
    let failing = true;
    await withMemory(
      (streamId) => {
        ids.add(streamId);
        if (failing) refuses(Code.Unavailable)();
        if (ids.size === 1) return answer();
      },
      () => committed,
      async (sluice, states) => {
        await assertRejects(() => sluice.uploadFile(FILE), SluiceError, "refused");
        assertEquals([ids.size, states().length], [1, 1], what);
        failing = false;
        assertEquals((await sluice.uploadFile(FILE)).fileId, "id", what);
        assertEquals([ids.size, states()], [2, []], what);
      },
    );
  }
});

Deno.test("uploadFile(): an upload that has come to nothing is forgotten, one that wants another token is not", async () => {
  for (const code of [Code.DataLoss, Code.InvalidArgument, Code.Unauthenticated, Code.PermissionDenied]) {
    const kept = code === Code.Unauthenticated || code === Code.PermissionDenied;
    let calls = 0;
    await withMemory(
      () => {
        calls++;
        throw new ConnectError("refused", code);
      },
      () => 0,
      async (sluice, states) => {
        for (let run = 0; run < 2; run++) {
          await assertRejects(() => sluice.uploadFile(FILE), SluiceError, "refused");
          assertEquals(states().length, kept ? 1 : 0, Code[code]);
        }
      },
    );
    // Damage may be the network's, and so is tried again a few times.
    assertEquals(calls, code === Code.DataLoss ? 8 : 2, Code[code]);
  }
});

Deno.test("uploadFiles() that is cancelled leaves nothing to be remembered of those that had not begun", async () => {
  const abort = new AbortController();
  await withMemory(
    () => {
      abort.abort(new Error("enough"));
      return { checksum: "" };
    },
    () => 0,
    async (sluice, states) => {
      const files = Array.from({ length: 20 }, (_, i) => new File(["x"], `${i}.txt`, { lastModified: 1 }));
      const outcomes = await sluice.uploadFiles(files, { maxConcurrency: 2, signal: abort.signal });
      assert(outcomes.every(({ ok }) => !ok));
      // Two were under way.
      assert(states().length <= 2, states().join(" "));
    },
  );
});

/** A memory whose entries a test can see. */
function memoryOf(entries: Map<string, string>): UploadMemory {
  return new UploadMemory({
    keys: () => [...entries.keys()],
    get: (key) => entries.get(key),
    set: (key, value) => void entries.set(key, value),
    delete: (key) => void entries.delete(key),
  }, "server");
}

function entry(begun: number): string {
  return JSON.stringify({ streamId: "a-01KAJ7Z0W5Q3", begun });
}

Deno.test("UploadMemory: what is too old, or no entry, is dropped when another is remembered", async () => {
  const now = Date.now();
  const old = entry(now - UPLOAD_MEMORY_MS - 1000);
  const entries = new Map([["old", old], ["cut", "{"], ["mine", old], ["young", entry(now - 1000)]]);
  const memory = memoryOf(entries);
  assertEquals(await memory.recall("old"), undefined);
  assertEquals(await memory.recall("young"), "a-01KAJ7Z0W5Q3");
  using _claim = memory.claim("mine");
  await memory.remember("new", "b-01KAJ7Z0W5Q3");
  assertEquals([...entries.keys()], ["mine", "young", "new"]);
});

Deno.test("UploadMemory: of more than UPLOADS_REMEMBERED, the oldest are dropped", async () => {
  const now = Date.now();
  const entries = new Map<string, string>();
  const memory = memoryOf(entries);
  for (let i = 0; i < UPLOADS_REMEMBERED + 50; i++) entries.set(`${i}`, entry(now - 100_000 + i));
  await memory.remember("first", "b-01KAJ7Z0W5Q3");
  assertEquals(entries.size, UPLOADS_REMEMBERED);
  assertEquals([entries.has("50"), entries.has("51")], [false, true]);
  for (let i = 0; i < 3 * UPLOADS_COLLECTED_EVERY; i++) await memory.remember(`more ${i}`, "b-01KAJ7Z0W5Q3");
  assert(entries.size < UPLOADS_REMEMBERED + UPLOADS_COLLECTED_EVERY);
});

Deno.test("UploadMemory: in a folder, nobody else's files are touched", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const theirs = ["follow-1.json", "upload-notes.json.bak", "upload-abc.json.1234"];
    for (const name of [...theirs, "upload-abc.json"]) await Deno.writeTextFile(`${folder}/${name}`, "{}");
    const memory = createUploadMemory("server", folder)!;
    const key = await memory.keyOf("fingerprint");
    await memory.remember(key, "a-01KAJ7Z0W5Q3");
    assertEquals(await memory.recall(key), "a-01KAJ7Z0W5Q3");
    const names = [...Deno.readDirSync(folder)].map(({ name }) => name);
    assertEquals(names.sort(), [...theirs, `upload-${key}.json`].sort());
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("uploadFile() with a stateDir that cannot be written ends in a SluiceError that names it", async () => {
  await using server = await startServer();
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/file`, "");
    const path = `${folder}/a.csv`;
    await Deno.writeTextFile(path, "a,b\n");
    const sluice = createSluice({ url: server.url, stateDir: `${folder}/file/state` });
    const error = await assertRejects(() => sluice.uploadFile(path), SluiceError, "stateDir");
    assertEquals([error.reason, error.retryable], ["buffer", false]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
