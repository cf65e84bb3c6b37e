import { assertEquals, assertThrows } from "@std/assert";
import { StreamError } from "../../http2/errors.ts";
import { parseRequestHead, parseTrailers } from "../../http2/request_head.ts";

const good = [":method", "GET", ":scheme", "https", ":path", "/a?b", ":authority", "host:1"];
const parse = (...fields: string[]) => parseRequestHead(fields, "fallback");

Deno.test("parseRequestHead() makes an absolute URL and headers", () => {
  const head = parse(...good, "te", "trailers", "cookie", "a=1", "x", "1", "cookie", "b=2", "x", "2");
  assertEquals([head.method, head.url, head.contentLength], ["GET", "https://host:1/a?b", -1]);
  assertEquals([...head.header], [["cookie", "a=1; b=2"], ["te", "trailers"], ["x", "1, 2"]]);
});

Deno.test("parseRequestHead() falls back from :authority to host, and then to the server's own", () => {
  const base = good.slice(0, 6);
  assertEquals(parse(...base, "host", "h").url, "https://h/a?b");
  assertEquals(parse(...base).url, "https://fallback/a?b");
  assertEquals(parse(...good, "host", "HOST:1").url, "https://host:1/a?b");
});

Deno.test("parseRequestHead() takes CONNECT, and OPTIONS with *", () => {
  assertEquals(parse(":method", "CONNECT", ":authority", "h:1").method, "CONNECT");
  assertEquals(parse(":method", "OPTIONS", ":scheme", "http", ":path", "*", ":authority", "h").url, "http://h/*");
});

Deno.test("parseRequestHead() takes equal content-length values as one", () => {
  assertEquals(parse(...good, "content-length", "5", "content-length", "5").contentLength, 5);
});

Deno.test("parseRequestHead() refuses malformed requests", () => {
  const malformed: [string, string[]][] = [
    ["unknown pseudo", [...good, ":x", "1"]],
    ["unknown pseudo", [":status", "200", ...good]],
    ["twice", [...good, ":path", "/"]],
    ["after another field", [...good.slice(0, 6), "x", "1", ":authority", "h"]],
    ["valid :method", good.slice(2)],
    ["valid :method", [":method", "G T", ...good.slice(2)]],
    ["valid :scheme", [":method", "GET", ":path", "/"]],
    ["valid :path", [":method", "GET", ":scheme", "http"]],
    ["valid :path", [":method", "GET", ":scheme", "http", ":path", ""]],
    ["valid :path", [":method", "GET", ":scheme", "http", ":path", "x"]],
    ["valid :path", [":method", "GET", ":scheme", "http", ":path", "*"]],
    ["valid :path", [":method", "GET", ":scheme", "http", ":path", "/a b"]],
    ["valid :path", [":method", "GET", ":scheme", "http", ":path", "/a#b"]],
    ["valid :authority", [...good.slice(0, 6), ":authority", "user@host"]],
    ["valid :authority", [...good.slice(0, 6), ":authority", "host/path"]],
    ["valid :authority", [...good.slice(0, 6), ":authority", ""]],
    ["another than :authority", [...good, "host", "other"]],
    ["CONNECT", [":method", "CONNECT", ":authority", "h:1", ":path", "/"]],
    ["field name", [...good, "X-Upper", "1"]],
    ["field name", [...good, "", "1"]],
    ["field name", [...good, "a b", "1"]],
    ["value of x", [...good, "x", "a\nb"]],
    ["value of x", [...good, "x", "a\0b"]],
    ["value of x", [...good, "x", " a"]],
    ["value of x", [...good, "x", "a\t"]],
    ["HTTP/1.1", [...good, "connection", "close"]],
    ["HTTP/1.1", [...good, "transfer-encoding", "chunked"]],
    ["te is", [...good, "te", "gzip"]],
    ["content-length", [...good, "content-length", "-1"]],
    ["content-length", [...good, "content-length", "5", "content-length", "6"]],
    ["content-length", [...good, "content-length", "99999999999999999999"]],
  ];
  for (const [message, fields] of malformed) assertThrows(() => parse(...fields), StreamError, message);
});

Deno.test("parseTrailers() refuses pseudo-header fields", () => {
  const trailer = new Headers();
  parseTrailers(["a", "1"], trailer);
  assertEquals(trailer.get("a"), "1");
  assertThrows(() => parseTrailers([":path", "/"], trailer), StreamError, "pseudo");
});
