/**
 * A simulated S3 bucket that several processes share, as a `fetch` function: GET with Range, HEAD, PUT, DELETE and
 * ListObjectsV2 in path style. A PUT is there as a whole or not at all, is refused if its checksum is not that of its body,
 * and may land long after its sender gave up. Signatures are looked at, not verified.
 * (https://docs.aws.amazon.com/AmazonS3/latest/API/)
 *
 * @module
 */
import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import type { Latency, Process } from "./process.ts";

interface Stored {
  readonly body: Uint8Array<ArrayBuffer>;
  readonly sha256: string;
  readonly lastModified: number;
}

/** Keys on a page of a listing: few, so that there are several pages. A client may ask for fewer. */
const PAGE_KEYS = 3;

export class SimS3 {
  readonly objects = new Map<string, Stored>();

  constructor(readonly bucket: string) {}

  /** The network of a process: requests reach the bucket, whatever the host; answers may go astray. */
  open(process: Process): typeof globalThis.fetch {
    return (input, init) => this.#fetch(process, new Request(input, init));
  }

  async #fetch(process: Process, request: Request): Promise<Response> {
    const sent = new Uint8Array(await request.arrayBuffer());
    const { world } = process;
    const { faults, random } = world;
    const { pathname, search } = new URL(request.url);
    const what = `${request.method} ${pathname}${search} ${sent.length}#${crc32(sent).toString(16)}`;
    const slow = faults.happens("s3.slow");
    let latency: Latency = { there: world.delay(slow && random.chance(0.5)), back: world.delay(slow) };
    let answer = () => this.#answer(request, sent, world.scheduler.now);
    if (faults.happens("s3.error")) {
      const status = random.pick([500, 503]);
      answer = () => failure(status, status === 503 ? "SlowDown" : "InternalError");
    } else if (faults.happens("s3.late")) {
      latency = { there: random.between(2000, 90_000), back: Infinity };
    } else if (faults.happens("s3.lost")) {
      latency = { ...latency, back: Infinity };
    } else if (sent.length > 0 && faults.happens("s3.damaged")) {
      const damaged = sent.slice();
      damaged[random.between(0, damaged.length - 1)] ^= 1;
      answer = () => this.#answer(request, damaged, world.scheduler.now);
    }
    const broken = latency.back === Infinity && random.chance(0.5);
    const response = process.request(what, latency, answer, ({ status }) => String(status));
    return await untilAborted(request.signal, [
      response,
      ...(broken
        ? [process.sleep(world.delay(true)).then(() => Promise.reject(new TypeError("connection reset")))]
        : []),
    ]);
  }

  #answer(request: Request, body: Uint8Array<ArrayBuffer>, now: number): Response {
    const { method, headers } = request;
    const { pathname, searchParams } = new URL(request.url);
    if (!/^AWS4-HMAC-SHA256 .*Signature=[0-9a-f]{64}$/.test(headers.get("authorization") ?? "")) {
      return failure(403, "AccessDenied");
    }
    const [, bucket, ...rest] = decodeURIComponent(pathname).split("/");
    const key = rest.join("/");
    if (bucket !== this.bucket) return failure(404, "NoSuchBucket");
    if (key === "") return method === "GET" ? this.#list(searchParams) : failure(405, "MethodNotAllowed");
    if (method === "PUT") return this.#put(key, headers, body, now);
    if (method === "DELETE") {
      this.objects.delete(key);
      return new Response(null, { status: 204 });
    }
    if (method !== "GET" && method !== "HEAD") return failure(405, "MethodNotAllowed");
    const stored = this.objects.get(key);
    if (!stored) return failure(404, "NoSuchKey");
    return get(stored, method === "HEAD", headers.get("range"));
  }

  #put(key: string, headers: Headers, body: Uint8Array<ArrayBuffer>, now: number): Response {
    const digest = createHash("sha256").update(body).digest();
    const sha256 = digest.toString("base64");
    const signed = headers.get("x-amz-content-sha256");
    if (signed !== null && signed !== "UNSIGNED-PAYLOAD" && signed !== digest.toString("hex")) {
      return failure(400, "XAmzContentSHA256Mismatch");
    }
    const promised = headers.get("x-amz-checksum-sha256");
    if (promised !== null && promised !== sha256) return failure(400, "BadDigest");
    if (headers.get("if-none-match") === "*" && this.objects.has(key)) return failure(412, "PreconditionFailed");
    this.objects.set(key, { body, sha256, lastModified: now });
    return new Response(null, { headers: { etag: etag(body), "x-amz-checksum-sha256": sha256 } });
  }

  #list(query: URLSearchParams): Response {
    if (query.get("list-type") !== "2") return failure(501, "NotImplemented");
    const prefix = query.get("prefix") ?? "";
    const after = query.get("continuation-token") ?? query.get("start-after") ?? "";
    const limit = Math.min(Number(query.get("max-keys") ?? PAGE_KEYS), PAGE_KEYS);
    const keys = [...this.objects.keys()].filter((key) => key.startsWith(prefix) && key > after).sort();
    const page = keys.slice(0, limit);
    const encode = query.get("encoding-type") === "url" ? encodeURIComponent : escapeXml;
    const contents = page.map((key) => {
      const { body, lastModified } = this.objects.get(key)!;
      return `<Contents><Key>${encode(key)}</Key><LastModified>${new Date(lastModified).toISOString()}</LastModified>` +
        `<ETag>${
          escapeXml(etag(body))
        }</ETag><Size>${body.length}</Size><StorageClass>STANDARD</StorageClass></Contents>`;
    });
    const next = page.length < keys.length
      ? `<NextContinuationToken>${escapeXml(page[page.length - 1])}</NextContinuationToken>`
      : "";
    return xml(
      200,
      `<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>${this.bucket}</Name>` +
        `<Prefix>${encode(prefix)}</Prefix><KeyCount>${page.length}</KeyCount><MaxKeys>${limit}</MaxKeys>` +
        `<IsTruncated>${page.length < keys.length}</IsTruncated>${next}${contents.join("")}</ListBucketResult>`,
    );
  }
}

function get({ body, sha256, lastModified }: Stored, headOnly: boolean, range: string | null): Response {
  const headers: Record<string, string> = {
    etag: etag(body),
    "last-modified": new Date(lastModified).toUTCString(),
    "accept-ranges": "bytes",
  };
  const match = range && /^bytes=(\d+)-(\d*)$/.exec(range);
  let part = body;
  if (match) {
    const start = Number(match[1]);
    if (start >= body.length) return failure(416, "InvalidRange");
    const end = Math.min(match[2] === "" ? Infinity : Number(match[2]) + 1, body.length);
    part = body.subarray(start, end);
    headers["content-range"] = `bytes ${start}-${end - 1}/${body.length}`;
  } else {
    headers["x-amz-checksum-sha256"] = sha256;
  }
  headers["content-length"] = String(part.length);
  return new Response(headOnly ? null : part.slice(), { status: match ? 206 : 200, headers });
}

const etag = (body: Uint8Array) => `"${createHash("md5").update(body).digest("hex")}"`;

function failure(status: number, code: string): Response {
  return xml(status, `<Error><Code>${code}</Code><Message>${code}</Message></Error>`);
}

function xml(status: number, body: string): Response {
  return new Response(`<?xml version="1.0" encoding="UTF-8"?>${body}`, {
    status,
    headers: { "content-type": "application/xml" },
  });
}

function escapeXml(text: string): string {
  return text.replace(/[&<>"]/g, (c) => `&${{ "&": "amp", "<": "lt", ">": "gt", '"': "quot" }[c]};`);
}

/** The first of these to settle, but no later than the signal. */
function untilAborted<T>(signal: AbortSignal, promises: Promise<T>[]): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    for (const promise of promises) promise.then(resolve, reject);
  });
}
