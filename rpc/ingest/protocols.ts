/**
 * What the three protocols differ in: headers, which flags mean that an envelope is no message, and where the status
 * stands. The parts are connect-es's own, so that calls look the same as through its handlers.
 *
 * @module
 */
import type { JsonWriteOptions } from "@bufbuild/protobuf";
import type { ConnectError, HandlerContext } from "@connectrpc/connect";
import {
  type Compression,
  createAsyncIterable,
  encodeEnvelopes,
  envelopeCompress,
  type UniversalServerResponse,
  uResponseOk,
} from "@connectrpc/connect/protocol";
import * as connect from "@connectrpc/connect/protocol-connect";
import * as grpc from "@connectrpc/connect/protocol-grpc";
import * as grpcWeb from "@connectrpc/connect/protocol-grpc-web";

/** The answer to a call: its message, or the error that it ended with. */
export interface Outcome {
  readonly message?: Uint8Array<ArrayBuffer>;
  readonly error?: ConnectError;
}

export interface AnswerOptions {
  readonly compression: Compression | null;
  /** Bytes from which on it is worth it. */
  readonly compressMinBytes: number;
  readonly jsonOptions: Partial<JsonWriteOptions> | undefined;
}

type Envelope = Parameters<typeof envelopeCompress>[0];

export interface Protocol {
  readonly name: string;
  /** Content types of its streams. */
  readonly contentTypes: RegExp;
  /** Whether a content type is one of them, and if so, whether of binary messages. */
  parse(contentType: string | null): { readonly binary: boolean } | undefined;
  readonly contentType: { readonly binary: string; readonly json: string };
  readonly timeoutHeader: string;
  parseTimeout: typeof grpc.parseTimeout;
  readonly encodingHeader: string;
  readonly acceptEncodingHeader: string;
  /** Trailers that a call begins with. */
  readonly trailers: Readonly<Record<string, string>>;
  /** A flag of an envelope that is no message, where there is one. */
  readonly endFlag: number;
  /** Whether trailers are sent as such, or in an envelope. */
  readonly hasTrailers: boolean;
  /** The envelope that ends the answer; where there are trailers, none, and the status is set in them. */
  end(context: HandlerContext, error: ConnectError | undefined, options: AnswerOptions): Envelope | undefined;
}

const GRPC_OK = { [grpc.headerGrpcStatus]: grpc.grpcStatusOk };

/** gRPC over HTTP/2: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md */
export const GRPC: Protocol = {
  name: "grpc",
  contentTypes: grpc.contentTypeRegExp,
  parse: (type) => grpc.parseContentType(type),
  contentType: { binary: grpc.contentTypeProto, json: grpc.contentTypeJson },
  timeoutHeader: grpc.headerTimeout,
  parseTimeout: grpc.parseTimeout,
  encodingHeader: grpc.headerEncoding,
  acceptEncodingHeader: grpc.headerAcceptEncoding,
  trailers: GRPC_OK,
  endFlag: 0,
  hasTrailers: true,
  end(context, error) {
    if (error) grpc.setTrailerStatus(context.responseTrailer, error);
    return undefined;
  },
};

/** gRPC-Web: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md */
export const GRPC_WEB: Protocol = {
  name: "grpc-web",
  contentTypes: grpcWeb.contentTypeRegExp,
  parse(type) {
    const parsed = grpcWeb.parseContentType(type);
    return parsed?.text ? undefined : parsed;
  },
  contentType: { binary: grpcWeb.contentTypeProto, json: grpcWeb.contentTypeJson },
  timeoutHeader: grpcWeb.headerTimeout,
  parseTimeout: grpcWeb.parseTimeout,
  encodingHeader: grpcWeb.headerEncoding,
  acceptEncodingHeader: grpcWeb.headerAcceptEncoding,
  trailers: GRPC_OK,
  endFlag: grpcWeb.trailerFlag,
  hasTrailers: false,
  end(context, error) {
    if (error) grpcWeb.setTrailerStatus(context.responseTrailer, error);
    return { flags: grpcWeb.trailerFlag, data: grpcWeb.trailerSerialize(context.responseTrailer) };
  },
};

/** Connect: https://connectrpc.com/docs/protocol/#streaming-rpcs */
export const CONNECT: Protocol = {
  name: "connect",
  contentTypes: connect.contentTypeStreamRegExp,
  parse(type) {
    const parsed = connect.parseContentType(type);
    return parsed?.stream ? parsed : undefined;
  },
  contentType: { binary: connect.contentTypeStreamProto, json: connect.contentTypeStreamJson },
  timeoutHeader: connect.headerTimeout,
  parseTimeout: connect.parseTimeout,
  encodingHeader: connect.headerStreamEncoding,
  acceptEncodingHeader: connect.headerStreamAcceptEncoding,
  trailers: {},
  endFlag: connect.endStreamFlag,
  hasTrailers: false,
  end(context, error, { jsonOptions }) {
    const data = connect.createEndStreamSerialization(jsonOptions).serialize({
      metadata: context.responseTrailer,
      error,
    });
    return { flags: connect.endStreamFlag, data };
  },
};

/** The answer to a call. */
export async function answer(
  protocol: Protocol,
  context: HandlerContext,
  { message, error }: Outcome,
  options: AnswerOptions,
): Promise<UniversalServerResponse> {
  const { compression, compressMinBytes } = options;
  const end = protocol.end(context, error, options);
  const envelopes = [message && { flags: 0, data: message }, end].filter((envelope) => envelope !== undefined);
  const compressed = await Promise.all(envelopes.map((e) => envelopeCompress(e, compression, compressMinBytes)));
  return {
    ...uResponseOk,
    header: context.responseHeader,
    body: createAsyncIterable(envelopes.length > 0 ? [encodeEnvelopes(...compressed)] : []),
    trailer: protocol.hasTrailers ? context.responseTrailer : undefined,
  };
}
