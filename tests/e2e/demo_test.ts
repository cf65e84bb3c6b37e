import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { createSluice } from "../../client/mod.ts";
import { ROOT, startServer } from "../support/server.ts";

async function demo(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "client/demo.ts", ...args],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
  }).output();
  const text = new TextDecoder().decode(stdout);
  assertEquals(code, 0, text + new TextDecoder().decode(stderr));
  return text;
}

Deno.test("deno task demo: run twice against a server that was restarted in between, everything of both is there", async () => {
  const dir = await Deno.makeTempDir();
  try {
    const logHits = async (url: string) => {
      const sluice = createSluice({ url });
      let count = 0;
      let pageToken = "";
      do {
        const page = await sluice.searchLogs({ pageSize: 1000, pageToken });
        count += page.hits.length;
        pageToken = page.nextPageToken;
      } while (pageToken);
      return count;
    };
    let hits = 0;
    for (const run of [1, 2]) {
      await using server = await startServer({ dir });
      const text = await demo("--url", server.url);
      assertMatch(text, /Collection completed: 10000 total, 9985 successful, 15 errors/);
      const { files } = await createSluice({ url: server.url }).files.list();
      assertEquals(files.length, run);
      hits = await logHits(server.url);
      assertEquals(hits, run * 10_000);
      const status = await server.stop();
      assertEquals(status.code, 0);
    }
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("deno task demo --real: samples this machine, sends a log and a file", async () => {
  const dir = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${dir}/system.log`, "first line\nsecond line\n".repeat(50));
    await Deno.writeTextFile(`${dir}/table.csv`, "a,b\n1,2\n");
    const text = await demo("--real", "--seconds", "1", "--log", `${dir}/system.log`, "--file", `${dir}/table.csv`);
    assertStringIncludes(text, "table.csv");
    assertMatch(text, /100/);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
