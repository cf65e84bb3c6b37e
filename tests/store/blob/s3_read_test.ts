import { assert, assertEquals, assertRejects } from "@std/assert";
import { Code, ConnectError } from "@connectrpc/connect";
import { bytes, read } from "../../contract/blob_contract.ts";
import { answer, type Script, type ScriptedServer, serveScript } from "./http_script.ts";
import { brisk, codeOf, contentsOf, hurried, ID, listing, open, openAt, refusal } from "./s3_support.ts";

/** Answers a GET of a range of `data` rightly, but for what `headers` and `body` say. */
function range(
  data: Uint8Array,
  header: string | null,
  change: {
    body?: (right: Uint8Array) => Uint8Array;
    headers?: (start: number, end: number) => Record<string, string>;
  } = {},
): Uint8Array {
  const [, start, last] = /^bytes=(\d+)-(\d+)$/.exec(header ?? "")!.map(Number);
  const right = data.subarray(start, last + 1);
  return answer(206, change.body?.(right) ?? right, {
    "content-length": right.length,
    "content-range": `bytes ${start}-${last}/${data.length}`,
    ...change.headers?.(start, last),
  });
}

/** A store that serves one part of `data`; `get` answers the GETs of it. */
function serveOne(data: Uint8Array, get: Script): ScriptedServer {
  return serveScript((request, n) => request.query.has("list-type") ? listing(data.length) : get(request, n));
}

Deno.test("createS3BlobStore() goes on reading where an answer was cut", async () => {
  const data = bytes(100_000);
  let cuts = 0;
  await using server = serveOne(data, ({ headers }) => {
    // Each answer breaks off after 30,000 bytes, but for every other one, which has a head only.
    const body = (right: Uint8Array) => right.subarray(0, ++cuts % 2 === 0 ? 0 : 30_000);
    return range(data, headers.get("range"), { body });
  });
  assertEquals(await read(open(server), ID, [{ epoch: 1, length: 100_000 }], 10, 100_000), data.subarray(10));
  const asked = server.requests.slice(1).map(({ headers }) => headers.get("range"));
  assertEquals(asked[0], "bytes=10-99999");
  assert(asked.includes("bytes=30010-99999") && asked.includes("bytes=90010-99999"), asked.join());
});

Deno.test("createS3BlobStore() serves nothing that is not the range it asked for", async () => {
  const data = bytes(1000);
  const pieces = [{ epoch: 1, length: 1000 }];
  const lies: Record<string, [Script, Code]> = {
    "all of it": [() => answer(200, data), Code.Unavailable],
    "no range named": [
      ({ headers }) => range(data, headers.get("range"), { headers: () => ({ "content-range": "?" }) }),
      Code.Unavailable,
    ],
    "another range": [
      ({ headers }) =>
        range(data, headers.get("range"), { headers: (_, end) => ({ "content-range": `bytes 0-${end}/1000` }) }),
      Code.Unavailable,
    ],
    "less, and says so": [
      ({ headers }) =>
        range(data, headers.get("range"), { headers: (start) => ({ "content-range": `bytes ${start}-500/501` }) }),
      Code.DataLoss,
    ],
    "nothing of it": [
      ({ headers }) =>
        range(data, headers.get("range"), {
          body: () => new Uint8Array(0),
          headers: () => ({ "content-length": "0" }),
        }),
      Code.Unavailable,
    ],
    "more of it": [
      ({ headers }) =>
        range(data, headers.get("range"), { body: () => bytes(1200), headers: () => ({ "content-length": "1200" }) }),
      Code.Unavailable,
    ],
    "a head only": [
      ({ headers }) => range(data, headers.get("range"), { body: () => new Uint8Array(0) }),
      Code.Unavailable,
    ],
    "no such object": [() => refusal(404, "NoSuchKey"), Code.DataLoss],
    "no such bucket": [() => refusal(404, "NoSuchBucket"), Code.Unavailable],
    "no such range": [() => refusal(416, "InvalidRange"), Code.DataLoss],
  };
  for (const [name, [script, code]] of Object.entries(lies)) {
    await using server = serveOne(data, script);
    const clock = code === Code.Unavailable ? hurried : brisk;
    const served: Uint8Array[] = [];
    const error = await assertRejects(async () => {
      for await (const part of open(server, clock).read(ID, pieces, { start: 100, end: 900 })) served.push(part);
    }, ConnectError);
    assertEquals([name, error.code, served], [name, code, []]);
  }
});

Deno.test("createS3BlobStore() takes an answer that is no whole listing for none, not for an empty one", async () => {
  const whole = contentsOf(listing(1000));
  const bodies = [
    "",
    "<html>maintenance</html>",
    whole.slice(0, -1),
    whole.replace("<IsTruncated>false</IsTruncated>", ""),
    whole.replace(/<Size>\d+<\/Size>/, ""),
  ];
  for (const body of bodies) {
    await using server = serveScript(() => answer(200, body));
    const store = open(server, hurried);
    assertEquals(await codeOf(() => read(store, ID, [{ epoch: 1, length: 1000 }], 0, 1000)), Code.Unavailable, body);
  }
  await using server = serveScript(() => answer(200, "<html>maintenance</html>"));
  const store = open(server, hurried);
  assertEquals(await codeOf(() => Array.fromAsync(store.list())), Code.Unavailable);
  assertEquals(await codeOf(() => store.create(ID, 1)), Code.Unavailable);
  assertEquals(await codeOf(() => store.remove(ID, 1)), Code.Unavailable);
});

Deno.test("createS3BlobStore() passes over objects of others", async () => {
  const contents = ["p/readme.txt", `p/${ID}/1/000000000000`, `p/${ID}/1/x`, `p/${ID}/12/000000000000`, "p/a/b/c"].map((
    key,
  ) => `<Contents><Key>${key}</Key><LastModified>2026-01-02T03:04:05Z</LastModified><Size>3</Size></Contents>`);
  const body = `<ListBucketResult><IsTruncated>false</IsTruncated>${contents.join("")}</ListBucketResult>`;
  await using server = serveScript(() => answer(200, body));
  const changedAt = Date.UTC(2026, 0, 2, 3, 4, 5);
  assertEquals(await Array.fromAsync(open(server).list()), [{ blobId: ID, epoch: 1, changedAt }, {
    blobId: ID,
    epoch: 12,
    changedAt,
  }]);
});

Deno.test("createS3BlobStore() uses connections again", async () => {
  const ports = new Set<number>();
  const data = bytes(100_000);
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request, { remoteAddr }) => {
    ports.add(remoteAddr.port);
    await request.bytes();
    const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.get("range") ?? "");
    if (request.method !== "GET") return new Response(null, { status: 200 });
    if (!range) return new Response(contentsOf(listing(data.length)));
    const [start, end] = [Number(range[1]), Number(range[2]) + 1];
    const headers = { "content-range": `bytes ${start}-${end - 1}/${data.length}` };
    return new Response(data.slice(start, end), { status: 206, headers });
  });
  const store = openAt(`http://127.0.0.1:${server.addr.port}`);
  for (let n = 0; n < 5; n++) {
    assertEquals(
      await read(store, ID, [{ epoch: 1, length: data.length }], 0, 70_000 + n),
      data.subarray(0, 70_000 + n),
    );
    await store.remove(ID, 1);
  }
  assertEquals(ports.size, 1);
  await server.shutdown();
});
