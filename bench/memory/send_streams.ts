/**
 * Many gRPC streams at once over a few HTTP/2 connections, each with ten points a second of a series of its own. The
 * value of a point is the moment in which it was sent, in ms since `EPOCH`. Prints how many points were sent, how many the
 * receipts count, and what failed: `deno run -A bench/memory/send_streams.ts URL STREAMS SECONDS EPOCH`.
 *
 * @module
 */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Buffer } from "node:buffer";
import { type ClientHttp2Stream, connect } from "node:http2";
import { CollectionResultSchema, DataPointSchema } from "../../gen/sluice/v1/data_collection_pb.ts";
import { SECOND } from "../../limits.ts";

const CONNECTIONS = 10;
const POINTS_A_SECOND = 10;
/** The streams take turns, so that points come evenly. */
const TURNS = 10;
const TURN_MS = SECOND / POINTS_A_SECOND / TURNS;
const HEADER_BYTES = 5;

const [url, streams, seconds, epoch] = [Deno.args[0], ...Deno.args.slice(1).map(Number)] as const;

/** One call, and what becomes of it. */
class Call {
  sent = 0;
  /** How many points the receipt counts; throws if there is none. */
  readonly stored: Promise<number>;

  constructor(private readonly stream: ClientHttp2Stream, private readonly source: string) {
    let status = "";
    const parts: Buffer[] = [];
    stream.on("response", (headers) => status ||= String(headers["grpc-status"] ?? ""));
    stream.on("trailers", (headers) => status = String(headers["grpc-status"]));
    stream.on("data", (part: Buffer) => parts.push(part));
    this.stored = new Promise((resolve, reject) => {
      stream.on("error", reject);
      stream.on("close", () => {
        if (status !== "0") reject(new Error(`grpc-status ${status}`));
        else resolve(fromBinary(CollectionResultSchema, Buffer.concat(parts).subarray(HEADER_BYTES)).successfulCount);
      });
    });
    // Looked at in the end.
    this.stored.catch(() => {});
  }

  send(): void {
    const now = Date.now();
    const message = toBinary(
      DataPointSchema,
      create(DataPointSchema, { source: this.source, timestamp: BigInt(now), metrics: { sent_at: now - epoch } }),
    );
    const envelope = Buffer.alloc(HEADER_BYTES + message.length);
    envelope.writeUInt32BE(message.length, 1);
    envelope.set(message, HEADER_BYTES);
    this.stream.write(envelope);
    this.sent++;
  }

  end(): void {
    this.stream.end();
  }
}

const sessions = Array.from({ length: CONNECTIONS }, () => connect(url));
const calls = Array.from({ length: streams }, (_, i) => {
  const stream = sessions[i % CONNECTIONS].request({
    ":method": "POST",
    ":path": "/sluice.v1.DataCollectionService/CollectDataPoints",
    "content-type": "application/grpc",
    te: "trailers",
  });
  return new Call(stream, `stream-${i}`);
});
const began = performance.now();
const turns = seconds * SECOND / TURN_MS;
for (let turn = 0; turn < turns; turn++) {
  const wait = began + turn * TURN_MS - performance.now();
  if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
  for (let i = turn % TURNS; i < calls.length; i += TURNS) calls[i].send();
}
const took = (performance.now() - began) / SECOND;
for (const call of calls) call.end();
const outcomes = await Promise.allSettled(calls.map(({ stored }) => stored));
for (const session of sessions) session.close();
console.log(JSON.stringify({
  sent: calls.reduce((sum, call) => sum + call.sent, 0),
  stored: outcomes.reduce((sum, outcome) => sum + (outcome.status === "fulfilled" ? outcome.value : 0), 0),
  errors: outcomes.flatMap((outcome) => outcome.status === "rejected" ? [String(outcome.reason)] : []).slice(0, 10),
  failed: outcomes.filter(({ status }) => status === "rejected").length,
  seconds: took,
}));
Deno.exit(0);
