/**
 * What the client takes from npm, by full specifier: the client is imported by URL from where no import map of ours
 * applies, and everything else in it imports from here.
 *
 * @module
 */
export { create, fromBinary, toBinary } from "npm:@bufbuild/protobuf@2";
export type {
  DescMessage,
  DescMethodClientStreaming,
  DescMethodServerStreaming,
  DescMethodUnary,
  MessageInitShape,
  MessageShape,
} from "npm:@bufbuild/protobuf@2";
export { Code, ConnectError } from "npm:@connectrpc/connect@2.2.0";
export type { Transport } from "npm:@connectrpc/connect@2.2.0";
export {
  codeFromHttpStatus,
  contentTypeStreamProto,
  endStreamFlag,
  endStreamFromJson,
  errorFromJsonBytes,
  headerContentType,
  headerProtocolVersion,
  protocolVersion,
} from "npm:@connectrpc/connect@2.2.0/protocol-connect";
export { createConnectTransport } from "npm:@connectrpc/connect-web@2.2.0";
/**
 * Backoff and circuit breakers: cockatiel, for it is small, without dependencies, the same in Deno, Node and browsers,
 * and takes its parts one by one. Its retry loop is not used: between two tries the client asks GetStream, drops what is
 * committed, and may go elsewhere; and its jitter is not, for a test must be able to fix chance.
 */
export {
  BrokenCircuitError,
  circuitBreaker,
  type CircuitBreakerPolicy,
  CircuitState,
  ConsecutiveBreaker,
  ExponentialBackoff,
  handleWhen,
} from "npm:cockatiel@3.2.1";
export { ulid } from "npm:ulid@3.0.2";
