/**
 * The server on @grpc/grpc-js, with messages by @grpc/proto-loader: `node grpc_js.mjs PROTO_FOLDER`.
 *
 * @module
 */
import { createRequire } from "node:module";
import process from "node:process";
import { FileCall, LogsCall, PointsCall } from "./checks.mjs";

// Both are npm's, in the folder that the benchmark makes; they are no dependencies of the project.
const require = createRequire(import.meta.url);
const { loadPackageDefinition, Server, ServerCredentials, status } = require("@grpc/grpc-js");
const { loadSync } = require("@grpc/proto-loader");

const options = { includeDirs: [process.argv[2]], longs: Number, defaults: true };
const files = ["sluice/v1/data_collection.proto", "sluice/v1/file_upload.proto"];
const { sluice } = loadPackageDefinition(loadSync(files, options));

/** A client-streaming method. An error of the call's ends it with `code`. */
function method(Call, code) {
  return (stream, callback) => {
    const call = new Call();
    let failed = false;
    const fail = (error) => {
      if (failed) return;
      failed = true;
      callback({ code, details: error.message });
    };
    stream.on("data", (message) => {
      if (failed) return;
      try {
        call.take(message);
      } catch (error) {
        fail(error);
      }
    });
    stream.on("error", fail);
    stream.on("end", () => {
      if (failed) return;
      try {
        callback(null, call.finish(Number));
      } catch (error) {
        fail(error);
      }
    });
  };
}

const server = new Server();
server.addService(sluice.v1.DataCollectionService.service, {
  collectDataPoints: method(PointsCall, status.INTERNAL),
  collectLogs: method(LogsCall, status.INTERNAL),
});
server.addService(sluice.v1.FileUploadService.service, { uploadFile: method(FileCall, status.INVALID_ARGUMENT) });
server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  console.log(`listening on http://127.0.0.1:${port}`);
});
