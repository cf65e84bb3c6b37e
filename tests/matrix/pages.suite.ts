/**
 * `deno task test:pages [--mib 100]`: uploads from pages in Chromium, by a file that was chosen in them: the example of
 * docs/client.md, a tab that is closed in the middle and opened again, a page that may have no workers, and one without
 * WebCrypto. Needs Chromium on PATH.
 *
 * @module
 */
import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import { createHash } from "node:crypto";
import { parseArgs } from "node:util";
import type { BrowserContext, Page } from "playwright-core";
import { createSluice } from "../../client/mod.ts";
import { startServer } from "../support/server.ts";
import { startChromium } from "./chromium.ts";
import { makeParts } from "./job.js";

const { values } = parseArgs({ args: Deno.args, options: { mib: { type: "string", default: "100" } } });
const mib = Number(values.mib);
const size = mib * 2 ** 20;

const folder = await Deno.makeTempDir({ prefix: "sluice-pages-" });
const path = `${folder}/large.csv`;
const hash = createHash("sha256");
for (const part of makeParts(mib)) {
  hash.update(part);
  await Deno.writeFile(path, part, { append: true });
}
const checksum = hash.digest("hex");

await using chromium = await startChromium();
await using server = await startServer({
  env: { SLUICE_CORS_ORIGINS: `${chromium.origin},${chromium.origin.replace("127.0.0.1", "insecure.test")}` },
});
const sluice = createSluice({ url: server.url });
Deno.addSignalListener("SIGINT", () => Deno.exit(130));

/** What a page's upload came to. */
interface UploadOutcome {
  readonly fileId: string;
  readonly checksum: string;
  readonly error?: string;
}

/** Measures in a page how long its thread is busy at the most, ms, until the upload has ended. */
const BUSIEST = `(async () => {
  let busiest = 0;
  for (let before = performance.now(); globalThis.result === undefined;) {
    await new Promise((resolve) => setTimeout(resolve));
    busiest = Math.max(busiest, performance.now() - before);
    before = performance.now();
  }
  return busiest;
})()`;

async function open(context: BrowserContext, address: string): Promise<Page> {
  const page = await context.newPage();
  await page.goto(address);
  await page.waitForFunction("document.readyState === 'complete'");
  return page;
}

async function verify(fileId: string): Promise<void> {
  const stored = createHash("sha256");
  for await (const piece of sluice.files.download(fileId)) stored.update(piece);
  assertEquals(stored.digest("hex"), checksum);
}

/** Chooses the file on `/page.html`, and waits for the receipt. */
async function upload(page: Page): Promise<UploadOutcome> {
  await page.waitForFunction("globalThis.ready");
  await page.setInputFiles("#file", path);
  await page.waitForFunction("globalThis.result", undefined, { timeout: 300_000 });
  const result = await page.evaluate<UploadOutcome>("({ ...result, totalSize: 0 })");
  assertEquals(result.error, undefined);
  assertEquals(result.checksum, checksum);
  return result;
}

const address = (path: string, search: Record<string, string>, origin = chromium.origin) =>
  `${origin}${path}?${new URLSearchParams(search)}`;

try {
  {
    await using context = await chromium.browser.newContext();
    const page = await open(context, address("/example.html", { url: server.url }));
    await page.setInputFiles("#file", path);
    await page.waitForFunction("/^[0-9A-Z]{26}$/.test(document.title)", undefined, { timeout: 300_000 });
    await verify(await page.title());
    console.log("the example of docs/client.md: ok");
  }
  {
    await using context = await chromium.browser.newContext();
    const tab = await open(context, address("/page.html", { url: server.url }));
    await tab.waitForFunction("globalThis.ready");
    await tab.setInputFiles("#file", path);
    await tab.waitForFunction(`globalThis.progress?.committed >= ${size / 2}`, undefined, { polling: 10 });
    await tab.close();
    assertEquals((await sluice.files.list()).files.length, 1);
    const again = await open(context, address("/page.html", { url: server.url }));
    const { fileId } = await upload(again);
    await verify(fileId);
    const { resumed, bytes } = await again.evaluate<{ resumed: number; bytes: number }>(
      "({ resumed: events.find(({ type }) => type === 'resumed')?.committed, bytes: progress.bytes })",
    );
    assertGreater(resumed, size / 2 - 1);
    assertLess(bytes, size - resumed + 2 ** 20);
    console.log(
      `a tab closed at ${(resumed / size * 100).toFixed(0)} % and opened again: ok, sent ${
        (bytes / 2 ** 20).toFixed(1)
      } of ${mib} MiB the second time`,
    );
  }
  {
    await using context = await chromium.browser.newContext();
    // The test itself evaluates what it asks.
    const policy = `default-src 'self' 'unsafe-inline' 'unsafe-eval' ${server.url}; worker-src 'none'`;
    const page = await open(context, address("/page.html", { url: server.url, policy }));
    await verify((await upload(page)).fileId);
    assertEquals(page.workers().length, 0);
    console.log("a page that may have no workers: ok");
  }
  {
    await using context = await chromium.browser.newContext();
    const origin = chromium.origin.replace("127.0.0.1", "insecure.test");
    const url = server.url.replace("127.0.0.1", "insecure.test");
    const page = await open(context, address("/page.html", { url }, origin));
    assert(await page.evaluate("!isSecureContext && crypto.subtle === undefined"));
    await verify((await upload(page)).fileId);
    console.log("a page without WebCrypto: ok");
  }
  {
    await using context = await chromium.browser.newContext();
    const page = await open(context, address("/page.html", { url: server.url }));
    const slowest = page.evaluate<number>(BUSIEST);
    await upload(page);
    console.log(`the page's thread was busy for ${(await slowest).toFixed(0)} ms at the most`);
  }
} finally {
  await Deno.remove(folder, { recursive: true });
}
