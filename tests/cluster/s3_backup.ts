/**
 * A backup of blobs in S3: the copy has them in a directory.
 *
 * @module
 */
import { assertEquals, assertMatch } from "@std/assert";
import { createSluice } from "../../client/mod.ts";
import { MIB } from "../../limits.ts";
import { download } from "../support/ask.ts";
import { textBytes } from "../support/chunks.ts";
import { startS3 } from "../support/s3.ts";
import { startServer } from "../support/server.ts";
import { runTask } from "../support/tasks.ts";

Deno.test("backup copies blobs out of S3, and names a bit that was flipped in the bucket", async () => {
  await using s3 = await startS3();
  const env = { ...s3.env, SLUICE_BLOBS: s3.blobs("backup") };
  const parent = await Deno.makeTempDir({ prefix: "sluice-test-" });
  const bytes = textBytes(20 * MIB + 5);
  try {
    let fileId: string;
    {
      await using server = await startServer({ env });
      ({ fileId } = await createSluice({ url: server.url }).uploadFile(bytes, { name: "a.csv" }));
      const backup = await runTask(server.dir, "backup", [`${parent}/copy`], env);
      assertEquals([backup.code, backup.stderr], [0, ""], backup.stdout);

      const part = `${s3.bucketDir}/backup/${fileId}/1`;
      const [{ name }] = (await Array.fromAsync(Deno.readDir(part))).sort((a, b) => a.name < b.name ? -1 : 1);
      const damaged = await Deno.readFile(`${part}/${name}`);
      damaged[MIB + 3] ^= 1;
      await Deno.writeFile(`${part}/${name}`, damaged);
      const check = await runTask(server.dir, "check", [], env);
      assertEquals(check.code, 1, check.stdout);
      assertMatch(check.stdout, new RegExp(`^damaged file/default/${fileId}: damaged blocks `));
      const second = await runTask(server.dir, "backup", [`${parent}/damaged`], env);
      assertEquals(second.code, 1, second.stdout);
    }
    await using server = await startServer({ dir: `${parent}/copy` });
    assertEquals(await download(createSluice({ url: server.url }), fileId), bytes);
  } finally {
    await Deno.remove(parent, { recursive: true });
  }
});
