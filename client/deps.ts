/**
 * What the client takes from npm, by full specifier: the client is imported by URL from where no import map of ours
 * applies, and everything else in it imports from here.
 *
 * @module
 */
export { fromBinary } from "npm:@bufbuild/protobuf@2";
export type { DescMessage, DescMethodClientStreaming, MessageInitShape, MessageShape } from "npm:@bufbuild/protobuf@2";
export { Code, ConnectError, createClient } from "npm:@connectrpc/connect@2.2.0";
export type { Client, Interceptor } from "npm:@connectrpc/connect@2.2.0";
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
