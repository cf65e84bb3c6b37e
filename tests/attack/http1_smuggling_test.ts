/** Requests that two parsers could read differently: each is refused, and nothing behind it is served. */
import { assertEquals, assertMatch } from "@std/assert";
import { script } from "../http1/fake.ts";

const SMUGGLED = "GET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n";

const heads: Record<string, string> = {
  "CL.TE": "host: x\r\ncontent-length: 6\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nG",
  "TE.CL": "host: x\r\ntransfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n5c\r\n",
  "two transfer-encodings": "host: x\r\ntransfer-encoding: chunked\r\ntransfer-encoding: identity\r\n\r\n0\r\n\r\n",
  "chunked twice": "host: x\r\ntransfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
  "xchunked": "host: x\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
  "chunked, identity": "host: x\r\ntransfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
  "gzip, chunked": "host: x\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
  "empty transfer-encoding": "host: x\r\ntransfer-encoding:\r\n\r\n0\r\n\r\n",
  "quoted chunked": 'host: x\r\ntransfer-encoding: "chunked"\r\n\r\n0\r\n\r\n',
  "vertical tab": "host: x\r\ntransfer-encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
  "space before the colon": "host: x\r\ntransfer-encoding : chunked\r\n\r\n0\r\n\r\n",
  "tab before the colon": "host: x\r\ncontent-length\t: 5\r\n\r\nhello",
  "space before a name": "host: x\r\n content-length: 5\r\n\r\nhello",
  "space before the first name": " host: x\r\ncontent-length: 0\r\n\r\n",
  "folded": "host: x\r\ntransfer-encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
  "different lengths": "host: x\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
  "equal lengths": "host: x\r\ncontent-length: 5\r\ncontent-length: 5\r\n\r\nhello",
  "list of lengths": "host: x\r\ncontent-length: 5, 5\r\n\r\nhello",
  "plus": "host: x\r\ncontent-length: +5\r\n\r\nhello",
  "minus": "host: x\r\ncontent-length: -0\r\n\r\n",
  "hexadecimal": "host: x\r\ncontent-length: 0x10\r\n\r\n",
  "exponent": "host: x\r\ncontent-length: 1e1\r\n\r\n",
  "inner space": "host: x\r\ncontent-length: 1 0\r\n\r\n",
  "empty length": "host: x\r\ncontent-length:\r\n\r\n",
  "vast length": "host: x\r\ncontent-length: 99999999999999999999\r\n\r\n",
  "bare CR in a value": "host: x\r\na: b\rcontent-length: 5\r\n\r\n",
  "bare LF after a line": "host: x\na: b\r\n\r\n",
  "bare LF at the end": "host: x\r\n\n",
  "CR CR LF": "host: x\r\r\n\r\n",
  "NUL in a value": "host: x\r\na: b\x00c\r\n\r\n",
  "NUL in a name": "host: x\r\na\x00: b\r\n\r\n",
  "empty name": "host: x\r\n: b\r\n\r\n",
  "no colon": "host: x\r\nab\r\n\r\n",
  "obs-text in a name": "host: x\r\n\xe4: b\r\n\r\n",
  "no host": "a: b\r\n\r\n",
  "two hosts": "host: x\r\nhost: x\r\n\r\n",
  "host with a path": "host: x/y\r\n\r\n",
  "host with a user": "host: a@b\r\n\r\n",
  "host list": "host: x y\r\n\r\n",
};

for (const [name, head] of Object.entries(heads)) {
  Deno.test(`smuggling: ${name}`, async () => {
    const urls: string[] = [];
    const answer = await script(`POST / HTTP/1.1\r\n${head}${SMUGGLED}`, (request) => {
      urls.push(request.url);
      return { status: 200 };
    });
    assertEquals(urls, []);
    assertMatch(answer, /^HTTP\/1.1 (400|501) [^]*connection: close\r\n/);
    assertEquals(answer.split("HTTP/1.1").length, 2);
  });
}

const bodies: Record<string, string> = {
  "size with a plus": "+1\r\na\r\n0\r\n\r\n",
  "size with 0x": "0x1\r\na\r\n0\r\n\r\n",
  "negative size": "-1\r\na\r\n0\r\n\r\n",
  "size with a space": "1 \r\na\r\n0\r\n\r\n",
  "empty size": "\r\na\r\n0\r\n\r\n",
  "overflow": "ffffffffffffffff1\r\na\r\n0\r\n\r\n",
  "64 bit": "10000000000000001\r\na\r\n0\r\n\r\n",
  "LF only": "1\na\n0\n\n",
  "LF in an extension": "1;a\n\r\na\r\n0\r\n\r\n",
  "bare CR in an extension": "1;a\rb\r\na\r\n0\r\n\r\n",
  "longer than its size": "1\r\nabc\r\n0\r\n\r\n",
  "no CRLF after the data": "1\r\na0\r\n\r\n",
  "trailer that frames": "0\r\ncontent-length: 5\r\n\r\n",
  "trailer with a space": "0\r\na : 5\r\n\r\n",
  "folded trailer": "0\r\na: 5\r\n b\r\n\r\n",
};

for (const [name, body] of Object.entries(bodies)) {
  Deno.test(`smuggling in chunks: ${name}`, async () => {
    let requests = 0;
    const head = "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";
    const answer = await script(head + body + SMUGGLED, async (request) => {
      requests++;
      for await (const _ of request.body);
      return { status: 200 };
    });
    assertEquals(requests, 1);
    assertMatch(answer, /^HTTP\/1.1 400 [^]*connection: close\r\n/);
    assertEquals(answer.split("HTTP/1.1").length, 2);
  });
}
