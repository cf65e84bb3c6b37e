/**
 * Chromium, with pages as people have them: from another origin than the server's.
 *
 * @module
 */
import { type Browser, chromium } from "playwright-core";

export interface TestBrowser extends AsyncDisposable {
  readonly browser: Browser;
  /** Where pages come from. */
  readonly origin: string;
}

const file = (path: string) => Deno.readTextFile(new URL(path, import.meta.url));

/** The page of docs/client.md. */
const EXAMPLE = /```html\n(.*?)```/s.exec(await file("../../docs/client.md"))?.[1] ?? "";

/**
 * Starts Chromium, and a server for pages: `/` is empty, `/page.html?url=URL` uploads to that server, `/example.html?url=URL`
 * is the page of docs/client.md. With `policy=...`, pages have this Content-Security-Policy.
 */
export async function startChromium(): Promise<TestBrowser> {
  const executablePath = await findChromium();
  const pages = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    const { pathname, searchParams } = new URL(request.url);
    const [url, policy] = [searchParams.get("url") ?? "", searchParams.get("policy")];
    if (pathname === "/job.js") {
      return new Response(await file("job.js"), { headers: { "content-type": "text/javascript" } });
    }
    const headers = new Headers({ "content-type": "text/html" });
    if (policy !== null) headers.set("content-security-policy", policy);
    if (pathname === "/page.html") return new Response(await file("page.html"), { headers });
    if (pathname === "/example.html") {
      return new Response(`<!doctype html>${EXAMPLE.replaceAll("http://127.0.0.1:8080", url)}`, { headers });
    }
    return new Response("<!doctype html>", { headers });
  });
  const browser = await chromium.launch({
    executablePath,
    args: ["--no-sandbox", "--ignore-certificate-errors", "--host-resolver-rules=MAP insecure.test 127.0.0.1"],
  });
  return {
    browser,
    origin: `http://127.0.0.1:${pages.addr.port}`,
    async [Symbol.asyncDispose]() {
      await browser.close();
      await pages.shutdown();
    },
  };
}

async function findChromium(): Promise<string> {
  for (const folder of (Deno.env.get("PATH") ?? "").split(":")) {
    for (const name of ["chromium", "chromium-browser", "google-chrome"]) {
      const path = `${folder}/${name}`;
      if (await Deno.stat(path).then(({ isFile }) => isFile, () => false)) return path;
    }
  }
  throw new Error("There is no Chromium on PATH: on Debian, apt-get install chromium");
}
