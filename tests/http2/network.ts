/** A server of tests on a socket of loopback, and the programs that talk to it. */
import { type Http2Handler, type Http2Options, type Http2Server, serveHttp2 } from "../../http2/mod.ts";

const hostname = "127.0.0.1";
const testdata = new URL("./testdata/", import.meta.url);

/** A self-signed certificate for localhost and 127.0.0.1, valid to 2054. */
export const certificate = await Deno.readTextFile(new URL("localhost.crt", testdata));
const key = await Deno.readTextFile(new URL("localhost.key", testdata));

export function serveClear(handler: Http2Handler, options?: Http2Options): { server: Http2Server; port: number } {
  const listener = Deno.listen({ hostname, port: 0 });
  return { server: serveHttp2(listener, handler, options), port: listener.addr.port };
}

export function serveTls(handler: Http2Handler, options?: Http2Options): { server: Http2Server; port: number } {
  const listener = Deno.listenTls({ hostname, port: 0, cert: certificate, key, alpnProtocols: ["h2", "http/1.1"] });
  return { server: serveHttp2(listener, handler, options), port: listener.addr.port };
}

/** Where a program is: on PATH, or where `go install` puts it. Undefined: it is not installed. */
export async function findProgram(name: string): Promise<string | undefined> {
  const home = Deno.env.get("HOME") ?? "";
  const gopath = Deno.env.get("GOPATH") ?? `${home}/go`;
  for (const directory of [...(Deno.env.get("PATH") ?? "").split(":"), `${gopath}/bin`]) {
    const path = `${directory}/${name}`;
    const info = await Deno.stat(path).catch(() => undefined);
    if (info?.isFile) return path;
  }
}

/** Runs a program to its end and returns what it wrote. */
export async function run(program: string, args: readonly string[]): Promise<{ success: boolean; text: string }> {
  const output = await new Deno.Command(program, { args: [...args], stdout: "piped", stderr: "piped" }).output();
  const text = new TextDecoder().decode(output.stdout) + new TextDecoder().decode(output.stderr);
  return { success: output.success, text };
}
