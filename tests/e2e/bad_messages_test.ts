import { assert, assertEquals, assertLess, assertStringIncludes } from "@std/assert";
import { Code } from "@connectrpc/connect";
import { gzipSync } from "node:zlib";
import { createSluice } from "../../client/mod.ts";
import { DataCollectionService, DataPointSchema, LogEntrySchema } from "../../gen/sluice/v1/data_collection_pb.ts";
import { FileUploadService } from "../../gen/sluice/v1/file_upload_pb.ts";
import { GIB, MAX_MESSAGE_BYTES, MIB } from "../../limits.ts";
import { gzipBomb } from "../support/bomb.ts";
import { textBytes } from "../support/chunks.ts";
import { keysIn, piecesIn } from "../support/data_dir.ts";
import { memoryGrowth } from "../support/process.ts";
import { sharedServer } from "../support/shared_server.ts";
import {
  type AnyMethod,
  concat,
  encode,
  envelope,
  type Protocol,
  receipt,
  refusal,
  sendBody,
} from "../support/wire.ts";

const server = await sharedServer();
const sluice = createSluice({ url: server.url });
const { uploadFile } = FileUploadService.method;
const { collectDataPoints, collectLogs } = DataCollectionService.method;
const METHODS: readonly AnyMethod[] = [uploadFile, collectDataPoints, collectLogs];
const now = Date.now();
const text = (s: string) => new TextEncoder().encode(s);
const BINARY: readonly Protocol[] = ["connect+proto", "grpc-web+proto"];
const COMPRESSED: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "connect+proto": { "connect-content-encoding": "gzip" },
  "connect+json": { "connect-content-encoding": "gzip" },
  "grpc-web+proto": { "grpc-encoding": "gzip" },
};

/** JSON whose fields there are, with values that they cannot have. */
const WRONG_TYPE: Readonly<Record<string, string>> = {
  UploadFile: '{"fileName":"a.txt","offset":1.5}',
  CollectDataPoints: '{"source":"a","metrics":{"x":"many"}}',
  CollectLogs: '{"application":7}',
};

/** Runs `attack` while a stream of points is open, which must end as if nothing had happened. */
async function besideAnotherStream(source: string, attack: () => Promise<void>): Promise<void> {
  const attacked = Promise.withResolvers<void>();
  async function* points() {
    yield { source, timestamp: now, metrics: { x: 1 } };
    await attacked.promise;
    yield { source, timestamp: now, metrics: { x: 2 } };
  }
  const sending = sluice.sendPoints(points());
  try {
    await attack();
  } finally {
    attacked.resolve();
  }
  assertEquals((await sending).successfulCount, 2);
  const { series } = await sluice.queryMetrics({ source, metric: "x" });
  assertEquals(series[0].buckets[0].sum, 3);
  assertEquals(await piecesIn(server.dir), []);
}

Deno.test("invalid protobuf: INVALID_ARGUMENT, and other streams go on", () =>
  besideAnotherStream("invalid-protobuf", async () => {
    for (const method of METHODS) {
      for (const protocol of BINARY) {
        // A field cut short; a wire type that there is none of; field number 0.
        for (const bytes of [[0x0a, 0x10, 0x41], [0x0f], [0x00, 0x01]]) {
          const error = await refusal(sendBody(server.url, method, envelope(Uint8Array.from(bytes)), { protocol }));
          assertEquals(Code[error.code], "InvalidArgument", `${method.name} ${protocol} ${bytes}`);
        }
      }
    }
  }));

Deno.test("invalid JSON: INVALID_ARGUMENT, and other streams go on", () =>
  besideAnotherStream("invalid-json", async () => {
    const options = { protocol: "connect+json" } as const;
    for (const method of METHODS) {
      for (
        const json of ["", "{", "[]", "null", '"x"', "\xff", WRONG_TYPE[method.name]]
      ) {
        const error = await refusal(sendBody(server.url, method, envelope(text(json)), options));
        assertEquals(Code[error.code], "InvalidArgument", `${method.name} ${json}: ${error.message}`);
      }
    }
  }));

Deno.test("a cut envelope: INVALID_ARGUMENT, and what came before it is kept", async () => {
  const point = encode(DataPointSchema, { source: "cut", timestamp: BigInt(now), metrics: { x: 1 } }, "connect+proto");
  for (const protocol of BINARY) {
    const body = concat([envelope(point), envelope(point).subarray(0, 10)]);
    const error = await refusal(sendBody(server.url, collectDataPoints, body, { protocol }));
    assertEquals(Code[error.code], "InvalidArgument", protocol);
  }
  const { series } = await sluice.queryMetrics({ source: "cut", metric: "x" });
  assertEquals(series[0].buckets[0].count, 2n);
});

Deno.test("an oversized message: a length that claims 4 GiB is RESOURCE_EXHAUSTED at once", () =>
  besideAnotherStream("oversized", async () => {
    for (const method of METHODS) {
      for (const protocol of ["connect+json", ...BINARY] as const) {
        for (const claim of [0xffffffff, 0x7fffffff, MAX_MESSAGE_BYTES + 1]) {
          const body = envelope(new Uint8Array(10), 0, claim);
          const error = await refusal(sendBody(server.url, method, body, { protocol }));
          assertEquals(Code[error.code], "ResourceExhausted", `${method.name} ${protocol} ${claim}`);
        }
      }
    }
  }));

Deno.test("an oversized message: 4 MiB pass, a byte more does not", async () => {
  const chunk = (size: number) => {
    const empty = encode(
      uploadFile.input,
      { fileName: "a.csv", data: new Uint8Array(size), isLastChunk: true },
      "connect+proto",
    );
    return envelope(
      encode(
        uploadFile.input,
        { fileName: "a.csv", data: textBytes(size - (empty.length - size)), isLastChunk: true },
        "connect+proto",
      ),
    );
  };
  for (const protocol of BINARY) {
    const { fileId, totalSize } = await receipt(
      sendBody(server.url, uploadFile, chunk(MAX_MESSAGE_BYTES), { protocol }),
    );
    assert(totalSize > 4_000_000n);
    await sluice.files.delete(fileId);
    const error = await refusal(sendBody(server.url, uploadFile, chunk(MAX_MESSAGE_BYTES + 1), { protocol }));
    assertEquals(Code[error.code], "ResourceExhausted", protocol);
  }
});

Deno.test("a wrong content type: 415, and another method than POST: 405", async () => {
  for (
    const contentType of ["text/plain", "application/json", "application/octet-stream", "application/connect+xml", ""]
  ) {
    const path = "/sluice.v1.FileUploadService/UploadFile";
    const headers = new Headers({ "content-type": contentType });
    const response = await fetch(server.url + path, { method: "POST", headers, body: text("{}") });
    assertEquals(response.status, 415, contentType);
    assertStringIncludes(response.headers.get("accept-post") ?? "", "application/connect+proto");
    await response.body?.cancel();
  }
  for (const method of ["GET", "PUT", "DELETE"]) {
    const response = await fetch(`${server.url}/sluice.v1.FileUploadService/UploadFile`, { method });
    assertEquals(response.status, 405, method);
    assertEquals(response.headers.get("allow"), "POST");
    await response.body?.cancel();
  }
  assertEquals(
    await (await fetch(`${server.url}/sluice.v1.FileUploadService/NoSuchMethod`, { method: "POST" })).text(),
    "not found\n",
  );
});

Deno.test("a gzip bomb: RESOURCE_EXHAUSTED, and memory stays as it was", () =>
  besideAnotherStream("bomb", async () => {
    const bomb = gzipBomb(GIB);
    assertLess(bomb.length, 4 * MIB);
    const growth = await memoryGrowth(server.pid, async () => {
      for (const method of METHODS) {
        for (const protocol of ["connect+json", ...BINARY] as const) {
          const options = { protocol, headers: COMPRESSED[protocol] };
          const error = await refusal(sendBody(server.url, method, envelope(bomb, 1), options));
          assertEquals(Code[error.code], "ResourceExhausted", `${method.name} ${protocol}: ${error.message}`);
        }
      }
    });
    assertLess(growth, 100 * MIB);
  }));

Deno.test("a gzip bomb: of a unary request too", async () => {
  const body = gzipBomb(GIB);
  const growth = await memoryGrowth(server.pid, async () => {
    const response = await fetch(`${server.url}/sluice.v1.QueryService/SearchLogs`, {
      method: "POST",
      headers: { "content-type": "application/proto", "content-encoding": "gzip" },
      body,
    });
    assertEquals((await response.json()).code, "resource_exhausted");
    assertEquals(response.status, 429);
  });
  assertLess(growth, 100 * MIB);
});

Deno.test("compressed messages: gzip is taken, what is no gzip is INVALID_ARGUMENT", async () => {
  const entry = encode(LogEntrySchema, { application: "gzip", timestamp: BigInt(now), message: "hi" }, "connect+proto");
  for (const protocol of BINARY) {
    const options = { protocol, headers: COMPRESSED[protocol] };
    const good = await receipt(
      sendBody(server.url, collectLogs, envelope(new Uint8Array(gzipSync(entry)), 1), options),
    );
    assertEquals(good.indexedCount, 1);
    const error = await refusal(sendBody(server.url, collectLogs, envelope(entry, 1), options));
    assertEquals(Code[error.code], "InvalidArgument", protocol);
  }
});

Deno.test("bad messages: nothing is left of them, and the server does not call them its own failure", async () => {
  assertEquals(await piecesIn(server.dir), []);
  assertEquals(await keysIn(server.dir, "file", "blob", "blocks"), []);
  assertEquals((await fetch(`${server.url}/readyz`)).status, 200);
  assert(!server.stderr().includes('"level":"error"'), server.stderr());
});
