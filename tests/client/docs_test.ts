import { assertEquals, assertGreater } from "@std/assert";
import { textBytes } from "../support/chunks.ts";
import { ROOT, startServer } from "../support/server.ts";

/** Examples of docs/client.md, in the order in which they stand there. */
const examples = [...(await Deno.readTextFile(`${ROOT}docs/client.md`)).matchAll(/```ts\n(.*?)```/gs)].map(([, text]) =>
  text
);

Deno.test("docs/client.md: every example passes the type checker and runs", async (t) => {
  assertGreater(examples.length, 5);
  await using server = await startServer({ env: { SLUICE_ALLOWED_EXTENSIONS: ".csv" } });
  const folder = await Deno.makeTempDir({ prefix: "sluice-examples-" });
  try {
    await Deno.writeTextFile(`${folder}/report.csv`, "a,b\n1,2\n");
    await Deno.writeFile(`${folder}/large.csv`, textBytes(20_000_000));
    const names = await Promise.all(examples.map(async (text, index) => {
      const name = `example-${index + 1}.ts`;
      const adapted = text
        .replaceAll("https://example.com/sluice/", `file://${ROOT}`)
        .replaceAll("http://127.0.0.1:8080", server.url);
      await Deno.writeTextFile(`${folder}/${name}`, adapted);
      return name;
    }));
    await run("check", ...names);
    for (const [index, name] of names.entries()) {
      await t.step(examples[index].split("\n").find((line) => /sluice\.\w+|error\./.test(line)) ?? name, async () => {
        await run("run", "-A", "--no-check", name);
      });
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }

  async function run(...args: string[]): Promise<void> {
    const command = new Deno.Command(Deno.execPath(), { args, cwd: folder, env: { NO_COLOR: "1" }, stdin: "null" });
    const { code, stdout, stderr } = await command.output();
    const decoder = new TextDecoder();
    assertEquals(code, 0, `${args.at(-1)}: ${decoder.decode(stderr)}${decoder.decode(stdout)}`);
  }
});
