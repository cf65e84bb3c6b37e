/**
 * ConformanceService: answers each call as the call itself asks, and tells what it saw of it.
 *
 * @module
 */
import {
  create,
  type DescMethod,
  type DescMethodClientStreaming,
  type DescService,
  type FileRegistry,
  type Message,
} from "@bufbuild/protobuf";
import { type Any, anyPack } from "@bufbuild/protobuf/wkt";
import { ConnectError, type ConnectRouterOptions, type HandlerContext } from "@connectrpc/connect";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import { coded } from "../../rpc/coded_errors.ts";
import { createIngestHandler } from "../../rpc/ingest/handler.ts";
import { MessageDecoder } from "../support/message_decoder.ts";
import { messageNamed } from "./descriptors.ts";
import type {
  BidiStreamRequest,
  ErrorDefinition,
  Metadata,
  StreamDefinition,
  StreamRequest,
  UnaryDefinition,
  UnaryRequest,
} from "./messages.ts";

interface Header {
  name: string;
  value: string[];
}

/** What an answer tells of the request; `ConformancePayload.RequestInfo`. */
interface RequestInfo {
  requestHeaders?: Header[];
  timeoutMs?: bigint;
  requests: Any[];
  connectGetInfo?: { queryParams: Header[] };
}

/** Every answer of the service has this one field. */
interface Answer {
  payload: { data: Uint8Array; requestInfo?: RequestInfo };
}

type Call = HandlerContext;
const NO_DATA = new Uint8Array(0);

/** The implementation, by the local names of its methods. `Unimplemented` has none, which is what it is there for. */
export function createConformanceService(registry: FileRegistry) {
  const infoSchema = messageNamed(registry, "ConformancePayload.RequestInfo");

  /** The error that was asked for. With `info`, it also tells what was seen: no answer could. */
  function errorOf({ code, message, details }: ErrorDefinition, info?: RequestInfo): ConnectError {
    const error = new ConnectError(message ?? "", code);
    const told = info ? [anyPack(infoSchema, create(infoSchema, { ...info }))] : [];
    error.details = [...details, ...told].map(({ typeUrl, value }) => ({ type: typeUrl.split("/").at(-1)!, value }));
    return error;
  }

  async function answerOnce(definition: UnaryDefinition | undefined, requests: Message[], call: Call): Promise<Answer> {
    const requestInfo = infoOf(requests, call);
    if (!definition) return { payload: { data: NO_DATA, requestInfo } };
    setMetadata(definition, call);
    await delay(definition.responseDelayMs, call.signal);
    const { response } = definition;
    if (response.case === "error") throw errorOf(response.value, requestInfo);
    return { payload: { data: response.case === "responseData" ? response.value : NO_DATA, requestInfo } };
  }

  /** All answers that are left, and the error; the first answer tells of the requests. */
  async function* answerAll(
    { responseData, responseDelayMs, error }: StreamDefinition,
    sent: number,
    requests: Message[],
    call: Call,
  ): AsyncGenerator<Answer> {
    for (let at = sent; at < responseData.length; at++) {
      await delay(responseDelayMs, call.signal);
      yield { payload: { data: responseData[at], requestInfo: at === 0 ? infoOf(requests, call) : undefined } };
    }
    if (error) throw errorOf(error, responseData.length === 0 ? infoOf(requests, call) : undefined);
  }

  const unary = (request: Message, call: Call) =>
    answerOnce((request as UnaryRequest).responseDefinition, [request], call);

  return {
    unary,
    idempotentUnary: unary,

    /** For the ingest path, which hands on batches. */
    async clientStream(batches: AsyncIterable<readonly Message[]>, call: Call): Promise<Answer> {
      const requests = (await Array.fromAsync(batches)).flat();
      return await answerOnce((requests[0] as UnaryRequest | undefined)?.responseDefinition, requests, call);
    },

    async *serverStream(request: Message, call: Call): AsyncGenerator<Answer> {
      const { responseDefinition: definition } = request as StreamRequest;
      if (!definition) return;
      setMetadata(definition, call);
      yield* answerAll(definition, 0, [request], call);
    },

    async *bidiStream(messages: AsyncIterable<Message>, call: Call): AsyncGenerator<Answer> {
      let first: BidiStreamRequest | undefined;
      let requests: Message[] = [];
      let sent = 0;
      for await (const message of messages) {
        if (!first) {
          first = message as BidiStreamRequest;
          if (first.responseDefinition) setMetadata(first.responseDefinition, call);
        }
        requests.push(message);
        if (!first.fullDuplex) continue;
        const definition = first.responseDefinition;
        if (!definition || sent >= definition.responseData.length) break;
        await delay(definition.responseDelayMs, call.signal);
        const requestInfo = sent === 0 ? infoOf(requests, call) : { requests: packed(requests, call) };
        yield { payload: { data: definition.responseData[sent++], requestInfo } };
        requests = [];
      }
      if (first?.responseDefinition) yield* answerAll(first.responseDefinition, sent, requests, call);
    },
  };
}

/** Handlers of the service's client-streaming methods, as the real server has them for its own. */
export function createIngestHandlers(
  service: DescService,
  serve: ReturnType<typeof createConformanceService>["clientStream"],
  options: ConnectRouterOptions,
): UniversalHandler[] {
  return service.methods.filter(isClientStreaming).map((method) =>
    createIngestHandler({
      method,
      createDecoder: () => new MessageDecoder(method.input),
      serve: async (batches, call) => ({ ...await serve(batches, call) }),
      toConnectError: coded,
    }, options)
  );
}

function isClientStreaming(method: DescMethod): method is DescMethodClientStreaming {
  return method.methodKind === "client_streaming";
}

function packed(requests: Message[], { method }: Call): Any[] {
  return requests.map((request) => anyPack(method.input, request));
}

function infoOf(requests: Message[], call: Call): RequestInfo {
  const timeoutMs = call.timeoutMs();
  return {
    requestHeaders: listed(call.requestHeader),
    timeoutMs: timeoutMs === undefined ? undefined : BigInt(Math.round(timeoutMs)),
    requests: packed(requests, call),
    connectGetInfo: call.requestMethod === "GET" ? { queryParams: listed(new URL(call.url).searchParams) } : undefined,
  };
}

function listed(entries: Iterable<[string, string]>): Header[] {
  return [...entries].map(([name, value]) => ({ name, value: [value] }));
}

function setMetadata({ responseHeaders, responseTrailers }: Metadata, call: Call): void {
  for (const { name, value } of responseHeaders) for (const v of value) call.responseHeader.append(name, v);
  for (const { name, value } of responseTrailers) for (const v of value) call.responseTrailer.append(name, v);
}

/** Waits; a call that is cancelled or past its deadline meanwhile fails with the reason. */
async function delay(ms: number, signal: AbortSignal): Promise<void> {
  if (ms > 0) {
    await new Promise<void>((resolve) => {
      const end = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", end);
        resolve();
      };
      const timer = setTimeout(end, ms);
      signal.addEventListener("abort", end);
    });
  }
  signal.throwIfAborted();
}
