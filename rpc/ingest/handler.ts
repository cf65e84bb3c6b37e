/**
 * The ingest path: client-streaming calls of every protocol, from the chunks of the body to batches, in one handler of
 * connect-es's universal shape. Its own handlers pay promises and generators for each message; they serve all other calls.
 *
 * @module
 */
import {
  create,
  type DescMessage,
  type DescMethodClientStreaming,
  type MessageInitShape,
  toBinary,
} from "@bufbuild/protobuf";
import type { ConnectError, ConnectRouterOptions, HandlerContext } from "@connectrpc/connect";
import {
  assertByteStreamRequest,
  compressedFlag,
  type Compression,
  compressionNegotiate,
  contentTypeMatcher,
  createMethodSerializationLookup,
  createMethodUrl,
  envelopeDecompress,
  type UniversalHandler,
  type UniversalServerRequest,
  type UniversalServerResponse,
  uResponseMethodNotAllowed,
  uResponseUnsupportedMediaType,
  validateUniversalHandlerOptions,
} from "@connectrpc/connect/protocol";
import type { BatchDecoder } from "../../decode/decoder.ts";
import { MAX_CARRIED_BYTES } from "../../limits.ts";
import { readBatches } from "./batches.ts";
import { createContext, OpenCalls } from "./context.ts";
import { CarryBudget, EnvelopeReader } from "./envelopes.ts";
import { answer, CONNECT, GRPC, GRPC_WEB, type Outcome } from "./protocols.ts";

/** A client-streaming method and what serves it. */
export interface IngestMethod<I extends DescMessage, O extends DescMessage, B> {
  readonly method: DescMethodClientStreaming<I, O>;
  /** A decoder of the method's messages, for one call. */
  createDecoder(): BatchDecoder<B>;
  serve(batches: AsyncIterable<B>, context: HandlerContext): Promise<MessageInitShape<O>>;
  /** What the caller is to know of an error that `serve`, or the body, threw. */
  toConnectError(error: unknown, url: string): ConnectError;
}

/**
 * Makes the handler of a method, with the options that connect-es's router takes. `carried` is what all calls that share it
 * may hold of messages that have not arrived whole.
 */
export function createIngestHandler<I extends DescMessage, O extends DescMessage, B>(
  ingest: IngestMethod<I, O, B>,
  options: ConnectRouterOptions,
  carried = new CarryBudget(MAX_CARRIED_BYTES),
): UniversalHandler {
  const { method } = ingest;
  const opt = validateUniversalHandlerOptions(options);
  const serialization = createMethodSerializationLookup(method, opt.binaryOptions, opt.jsonOptions, opt);
  const calls = new OpenCalls(opt.shutdownSignal);
  const protocols = [options.grpc !== false && GRPC, GRPC_WEB, CONNECT].filter((protocol) => protocol !== false);

  async function handle(request: UniversalServerRequest): Promise<UniversalServerResponse> {
    assertByteStreamRequest(request);
    const spoken = negotiate(request.header.get("content-type"));
    if (!spoken) return uResponseUnsupportedMediaType;
    if (request.method !== "POST") return uResponseMethodNotAllowed;
    const { protocol, isBinary } = spoken;

    const timeout = protocol.parseTimeout(request.header.get(protocol.timeoutHeader), opt.maxTimeoutMs);
    const call = calls.begin(request.signal, timeout.timeoutMs);
    const { signal } = call;
    const context = createContext(method, request, protocol, { signal, timeoutMs: timeout.timeoutMs, isBinary });
    const compression = compressionNegotiate(
      opt.acceptCompression,
      request.header.get(protocol.encodingHeader),
      request.header.get(protocol.acceptEncodingHeader),
      protocol.acceptEncodingHeader,
    );
    if (compression.response) context.responseHeader.set(protocol.encodingHeader, compression.response.name);

    let outcome: Outcome;
    try {
      if (compression.error) throw compression.error;
      if (timeout.error) throw timeout.error;
      const batches = readBatches(request.body, {
        decoder: ingest.createDecoder(),
        envelopes: new EnvelopeReader(opt.readMaxBytes, carried),
        isSkipped: (flags) => (flags & protocol.endFlag) !== 0,
        convert: (envelope) => convert(envelope, isBinary, compression.request),
        signal,
      });
      const result = create(method.output, await ingest.serve(batches, context));
      outcome = { message: serialization.getO(isBinary).serialize(result) as Uint8Array<ArrayBuffer> };
    } catch (error) {
      call.fail(error);
      outcome = { error: ingest.toConnectError(error, request.url) };
    } finally {
      call.end();
    }
    return await answer(protocol, context, outcome, {
      compression: compression.response,
      compressMinBytes: opt.compressMinBytes,
      jsonOptions: opt.jsonOptions,
    });
  }

  function negotiate(contentType: string | null) {
    for (const protocol of protocols) {
      const parsed = protocol.parse(contentType);
      if (parsed) return { protocol, isBinary: parsed.binary };
    }
  }

  /** Undefined for a message that can be decoded where it stands. */
  function convert(
    envelope: EnvelopeReader,
    isBinary: boolean,
    compression: Compression | null,
  ): Promise<Uint8Array> | undefined {
    if (isBinary && (envelope.flags & compressedFlag) === 0) return undefined;
    const data = envelope.bytes.subarray(envelope.start, envelope.end) as Uint8Array<ArrayBuffer>;
    return envelopeDecompress({ flags: envelope.flags, data }, compression, opt.readMaxBytes)
      .then(({ data }) => isBinary ? data : toBinary(method.input, serialization.getI(false).parse(data)));
  }

  return Object.assign(handle, {
    protocolNames: protocols.map(({ name }) => name),
    allowedMethods: ["POST"],
    supportedContentType: contentTypeMatcher(...protocols.map(({ contentTypes }) => contentTypes)),
    requestPath: createMethodUrl("/", method),
    service: method.parent,
    method,
  });
}
