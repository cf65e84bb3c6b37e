import { assertEquals } from "@std/assert";
import { ROOT, startServer } from "../support/server.ts";

Deno.test("client/mod.ts imported by URL, from an empty folder without import map, uploads a file", async () => {
  await using server = await startServer();
  // Any static file server over the checkout will do.
  await using files = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    try {
      const text = await Deno.readTextFile(ROOT + new URL(request.url).pathname.slice(1));
      return new Response(text, { headers: { "content-type": "text/typescript" } });
    } catch {
      return new Response("not found", { status: 404 });
    }
  });
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(
      `${folder}/script.ts`,
      `import { createSluice } from "http://127.0.0.1:${files.addr.port}/client/mod.ts";
const sluice = createSluice({ url: ${JSON.stringify(server.url)} });
await Deno.writeTextFile("a.txt", "hello");
const receipt = await sluice.uploadFile("a.txt");
const stored = await new Response(await sluice.files.download(receipt.fileId)).text();
console.log(receipt.fileName, receipt.totalSize, stored);
`,
    );
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--check", "script.ts"],
      cwd: folder,
      env: { NO_COLOR: "1" },
    }).output();
    const decoder = new TextDecoder();
    assertEquals(code, 0, decoder.decode(stderr));
    assertEquals(decoder.decode(stdout).trim(), "a.txt 5n hello");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
