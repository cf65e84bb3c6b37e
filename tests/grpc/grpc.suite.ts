/**
 * gRPC clients of others against the server: `deno task test:grpc`. It needs Go, grpcurl and ghz.
 *
 * @module
 */
import "./go_client.ts";
import "./grpcurl.ts";
import "./buf_curl.ts";
import "./cancelled.ts";
import "./ghz.ts";
