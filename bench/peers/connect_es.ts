/**
 * The server on connect-es and Deno.serve: Connect and gRPC-Web, a message at a time.
 *
 * @module
 */
import { Code, ConnectError, createConnectRouter } from "@connectrpc/connect";
import { createFetchHandler } from "@connectrpc/connect/protocol";
import { DataCollectionService } from "../../gen/sluice/v1/data_collection_pb.ts";
import { FileUploadService } from "../../gen/sluice/v1/file_upload_pb.ts";
import { FileCall, LogsCall, PointsCall } from "./checks.mjs";

// grpc-go's default, which connect-es does not have.
const router = createConnectRouter({ readMaxBytes: 4 * 1024 * 1024 });
router.service(DataCollectionService, {
  async collectDataPoints(points) {
    const call = new PointsCall();
    for await (const point of points) call.take(point);
    return call.finish(BigInt);
  },
  async collectLogs(entries) {
    const call = new LogsCall();
    for await (const entry of entries) call.take(entry);
    return call.finish(BigInt);
  },
});
router.service(FileUploadService, {
  async uploadFile(chunks) {
    const call = new FileCall();
    try {
      for await (const chunk of chunks) call.take(chunk);
      return call.finish(BigInt);
    } catch (error) {
      throw new ConnectError(error instanceof Error ? error.message : String(error), Code.InvalidArgument);
    }
  },
});

const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, createFetchHandler(handler)]));
Deno.serve({
  hostname: "127.0.0.1",
  port: 0,
  onListen: ({ port }) => console.log(`listening on http://127.0.0.1:${port}`),
}, (request) => {
  const handler = handlers.get(new URL(request.url).pathname);
  return handler ? handler(request) : new Response(null, { status: 404 });
});
