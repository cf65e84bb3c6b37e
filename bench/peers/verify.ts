/**
 * One call of a load, whose receipt is read: h2load only sees the status of HTTP, and refused items are fast.
 *
 * @module
 */
import { type DescMessage, fromBinary, type MessageShape } from "@bufbuild/protobuf";
import { Buffer } from "node:buffer";
import { connect } from "node:http2";
import { CollectionResultSchema, LogCollectionResultSchema } from "../../gen/sluice/v1/data_collection_pb.ts";
import { UploadResultSchema } from "../../gen/sluice/v1/file_upload_pb.ts";
import { amount, type Bodies, FILE_BYTES, type Kind, PATHS } from "./loads.ts";

interface Answer {
  readonly body: Uint8Array;
  /** grpc-status, if it stood in the trailers. */
  readonly status?: string;
}

/** Makes a call and throws unless all of it was accepted. Returns the length of the answer's body. */
export async function verify(url: string, kind: Kind, contentType: string, bodies: Bodies): Promise<number> {
  const body = await Deno.readFile(bodies.paths[kind]);
  const post = kind === "connect" ? overHttp1 : overHttp2;
  const answer = await post(url + PATHS[kind], contentType, body);
  const refused = (what: unknown) => new Error(`not all was accepted: ${what}`);
  if (answer.status !== undefined && answer.status !== "0") throw refused(`grpc-status ${answer.status}`);
  if (kind === "file") {
    const { totalSize, checksum, status } = messageOf(UploadResultSchema, answer.body);
    if (totalSize !== BigInt(FILE_BYTES) || checksum !== bodies.fileSha256 || status !== "completed") {
      throw refused(`${totalSize} bytes, ${checksum}, ${status}`);
    }
  } else {
    const { count } = amount(kind);
    const [accepted, refusals] = kind === "logs" ? logCounts(answer.body) : pointCounts(answer.body);
    if (accepted !== count || refusals !== 0) throw refused(`${accepted} of ${count}, ${refusals} refused`);
  }
  return answer.body.length;
}

function pointCounts(body: Uint8Array): [accepted: number, refused: number] {
  const { totalProcessed, successfulCount, errorCount } = messageOf(CollectionResultSchema, body);
  return [Math.min(totalProcessed, successfulCount), errorCount];
}

function logCounts(body: Uint8Array): [accepted: number, refused: number] {
  const { totalReceived, indexedCount, errorCount, filteredCount } = messageOf(LogCollectionResultSchema, body);
  return [Math.min(totalReceived, indexedCount), Number(errorCount + filteredCount)];
}

/** The message of an answer in any of the three protocols: the first envelope, if it is not that of the end. */
function messageOf<D extends DescMessage>(schema: D, body: Uint8Array): MessageShape<D> {
  if (body.length < 5 || body[0] !== 0) throw new Error(`no message: ${new TextDecoder().decode(body)}`);
  const length = new DataView(body.buffer, body.byteOffset).getUint32(1);
  return fromBinary(schema, body.subarray(5, 5 + length));
}

async function overHttp1(url: string, contentType: string, body: Uint8Array<ArrayBuffer>): Promise<Answer> {
  const response = await fetch(url, { method: "POST", headers: { "content-type": contentType }, body });
  return { body: await response.bytes() };
}

function overHttp2(url: string, contentType: string, body: Uint8Array): Promise<Answer> {
  const { origin, pathname } = new URL(url);
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const session = connect(origin);
  session.on("error", reject);
  const request = session.request({
    ":method": "POST",
    ":path": pathname,
    "content-type": contentType,
    te: "trailers",
  });
  const parts: Uint8Array[] = [];
  let status: string | undefined;
  const see = (headers: Record<string, unknown>) => {
    if (headers["grpc-status"] !== undefined) status = String(headers["grpc-status"]);
  };
  request.on("response", see);
  request.on("trailers", see);
  request.on("data", (part: Uint8Array) => parts.push(part));
  request.on("error", reject);
  request.on("end", () => resolve({ body: new Uint8Array(Buffer.concat(parts)), status }));
  request.end(body);
  return promise.finally(() => session.close());
}
