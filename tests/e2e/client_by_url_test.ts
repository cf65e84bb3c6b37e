import { assertEquals } from "@std/assert";
import { serveCheckout } from "../support/checkout.ts";
import { startServer } from "../support/server.ts";

Deno.test("client/mod.ts imported by URL, from an empty folder without import map, uploads a file", async () => {
  await using server = await startServer();
  await using checkout = serveCheckout();
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(
      `${folder}/script.ts`,
      `import { createSluice } from "${checkout.url}/client/mod.ts";
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
