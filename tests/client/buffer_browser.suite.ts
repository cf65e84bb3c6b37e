/**
 * `deno task test:buffer`: the offline buffer in a page, in Chromium from PATH. The page is the server's own origin, and
 * imports its /client.js; it stays open while the server is down.
 *
 * @module
 */
import { assertEquals, assertMatch } from "@std/assert";
import type { Page } from "playwright-core";
import { startChromium } from "../matrix/chromium.ts";
import { startServer } from "../support/server.ts";
import { storedOf } from "./buffered_points.ts";

/** What runs in the page. */
interface PageGlobal {
  writer: {
    write(point: unknown): Promise<void> | undefined;
    saved(): Promise<void>;
    flush(): Promise<number>;
    close(): Promise<{ committed: bigint }>;
    suspend(): Promise<number>;
    readonly waiting: number;
  };
}

/** Opens the writer in a page. Resolves with what is in the buffer, or with the text of the error. */
async function open(page: Page, url: string, options: Record<string, unknown> = {}): Promise<number | string> {
  await page.goto(`${url}/healthz`);
  return await page.evaluate(async ([url, options]) => {
    const { createSluice } = await import(`${url}/client.js`);
    const retry = { baseMs: 5, maxMs: 100, budget: 1000, budgetPerSecond: 1000 };
    const writer = createSluice({ url, retry }).pointWriter({ buffer: "page", ...options as object });
    (globalThis as unknown as PageGlobal).writer = writer;
    try {
      await writer.saved();
      return writer.waiting as number;
    } catch (error) {
      return `${(error as { reason: string }).reason}: ${(error as Error).message}`;
    }
  }, [url, options] as const);
}

/** Writes points as numberedPoints() does, and resolves when they are saved. */
async function write(page: Page, source: string, from: number, to: number): Promise<void> {
  await page.evaluate(async ([source, from, to]) => {
    const { writer } = globalThis as unknown as PageGlobal;
    const begin = Date.now() - 3600_000;
    for (let i = from; i < to; i++) {
      await writer.write({ source, timestamp: begin + i, metrics: { number: i, square: i * i } });
    }
    await writer.saved();
  }, [source, from, to] as const);
}

function call(page: Page, method: "flush" | "close" | "suspend"): Promise<number> {
  return page.evaluate(async (method) => {
    const result = await (globalThis as unknown as PageGlobal).writer[method]();
    return Number(typeof result === "object" ? result.committed : result);
  }, method);
}

Deno.test("A page's buffer outlives its tab: what was written while the server was down arrives once", async () => {
  await using chromium = await startChromium();
  const first = await startServer();
  const { url, dir } = first;
  try {
    const start = () => startServer({ dir, env: { SLUICE_LISTEN: `127.0.0.1:${new URL(url).port}` } });
    const context = await chromium.browser.newContext();
    let tab = await context.newPage();
    assertEquals(await open(tab, url), 0);
    await write(tab, "online", 0, 1000);
    assertEquals(await call(tab, "flush"), 1000);
    await first.stop();
    await write(tab, "offline", 0, 20_000);
    await tab.close();
    {
      await using server = await start();
      tab = await context.newPage();
      const waiting = await open(tab, url);
      await write(tab, "offline", 20_000, 25_000);
      // The page was there before the buffer was read: some of it may be on its way.
      assertEquals(typeof waiting, "number");
      assertEquals(await call(tab, "flush"), 26_000);
      assertEquals([await storedOf(url, "online"), await storedOf(url, "offline")], [1000, 25_000]);

      const second = await context.newPage();
      assertMatch(String(await open(second, url)), /^buffer: .*The buffer "page" is in use by another tab/);
      await server.stop();
    }
    await write(tab, "offline", 25_000, 30_000);
    assertEquals(await call(tab, "suspend"), 5000);
    await tab.close();
    await using _server = await start();
    tab = await context.newPage();
    await open(tab, url);
    // One receipt for the whole stream.
    assertEquals(await call(tab, "close"), 31_000);
    assertEquals([await storedOf(url, "online"), await storedOf(url, "offline")], [1000, 30_000]);
    const left = await tab.evaluate(() =>
      new Promise((resolve, reject) => {
        // deno-lint-ignore no-explicit-any -- the page's, not Deno's
        const request = (globalThis as any).indexedDB.open("sluice");
        request.onerror = reject;
        request.onsuccess = () => {
          const counted = ["buffers", "blocks"].map((name) =>
            new Promise((counted) => {
              const count = request.result.transaction(name).objectStore(name).count();
              count.onsuccess = () => counted(count.result);
            })
          );
          Promise.all(counted).then(resolve);
        };
      })
    );
    assertEquals(left, [0, 0]);
  } finally {
    await first[Symbol.asyncDispose]();
  }
});

Deno.test("A page's buffer that is full makes the writer wait, and goes on when the server is back", async () => {
  await using chromium = await startChromium();
  const first = await startServer();
  const { url, dir } = first;
  try {
    const page = await chromium.browser.newPage();
    await open(page, url, { bufferBytes: 1_000_000 });
    await first.stop();
    const writing = write(page, "full", 0, 200_000);
    const waiting = () => page.evaluate(() => (globalThis as unknown as PageGlobal).writer.waiting);
    // It stops: what is saved is a million bytes, and what waits in memory a few more.
    for (let before = -1, now = 0; now !== before || now === 0;) {
      before = now;
      await new Promise((resolve) => setTimeout(resolve, 1000));
      now = await waiting();
    }
    const env = { SLUICE_LISTEN: `127.0.0.1:${new URL(url).port}` };
    await using _server = await startServer({ dir, env });
    await writing;
    assertEquals(await call(page, "close"), 200_000);
    assertEquals(await storedOf(url, "full"), 200_000);
  } finally {
    await first[Symbol.asyncDispose]();
  }
});

Deno.test("A page without Web Locks has no buffer, and is told so", async () => {
  await using chromium = await startChromium();
  await using server = await startServer({ env: { SLUICE_LISTEN: "127.0.0.1:0" } });
  const page = await chromium.browser.newPage();
  const url = server.url.replace("127.0.0.1", "insecure.test");
  assertMatch(String(await open(page, url)), /^buffer: .*needs Web Locks/);
});
