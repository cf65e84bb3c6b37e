/**
 * The answer to a streaming call: messages and the end of the stream, or an error.
 *
 * @module
 */
import {
  Code,
  codeFromHttpStatus,
  ConnectError,
  contentTypeStreamProto,
  type DescMessage,
  endStreamFlag,
  endStreamFromJson,
  errorFromJsonBytes,
  fromBinary,
  type MessageShape,
} from "./deps.ts";
import { readEnvelopes } from "./envelope.ts";
import { ForeignAnswer, toSluiceError } from "./errors.ts";
import { MAX_UNARY_BYTES } from "./limits.ts";

/** Characters of a foreign answer that an error quotes. */
const QUOTED_CHARS = 200;

/**
 * The one message of an answer.
 *
 * @throws {ConnectError} The server's error; `unavailable` if the answer was cut.
 * @throws {ForeignAnswer} for an answer that is not Sluice's, with the code that its HTTP status amounts to, and a message
 * that names the status.
 */
export async function readAnswer(response: Response): Promise<Uint8Array> {
  let only: Uint8Array | undefined;
  for await (const message of readMessages(response)) {
    if (only !== undefined) {
      throw new ConnectError("The answer holds more than one message", Code.Unimplemented, response.headers);
    }
    only = message;
  }
  if (only === undefined) throw new ConnectError("The answer holds no message", Code.Unimplemented, response.headers);
  return only;
}

/**
 * The messages of an answer, each a view of what the network brought; `onBytes` is told whenever that is something.
 *
 * @throws {ConnectError} What {@linkcode readAnswer} does.
 */
export async function* readMessages(response: Response, onBytes?: () => void): AsyncGenerator<Uint8Array> {
  const type = response.headers.get("content-type") ?? "";
  const isStream = type.split(";")[0].trim() === contentTypeStreamProto;
  if (response.status !== 200 || !isStream) throw await foreignAnswer(response, type);

  let ended = false;
  for await (const { flags, data } of readEnvelopes(response.body ?? new ReadableStream(), onBytes)) {
    if (ended) throw new ConnectError("The answer goes on after its end", Code.Internal, response.headers);
    if ((flags & endStreamFlag) !== 0) {
      ended = true;
      const { error, metadata } = endStreamFromJson(data);
      if (error === undefined) continue;
      response.headers.forEach((value, key) => error.metadata.append(key, value));
      metadata.forEach((value, key) => error.metadata.set(key, value));
      throw error;
    }
    if (flags !== 0) {
      throw new ConnectError(`Cannot read a message with flags ${flags}`, Code.Internal, response.headers);
    }
    yield data;
  }
  if (!ended) throw new ConnectError("The answer was cut before its end", Code.Unavailable, response.headers);
}

/** A message of an answer. @throws {ForeignAnswer} if it is none of the kind that was asked for. */
export function decodeAnswer<O extends DescMessage>(schema: O, bytes: Uint8Array): MessageShape<O> {
  try {
    return fromBinary(schema, bytes);
  } catch (error) {
    throw new ForeignAnswer(`The answer is no ${schema.typeName}: ${(error as Error).message}`, Code.Internal, 200);
  }
}

/** The same answer, whose body fails once it has more than MAX_UNARY_BYTES. */
export function bounded(response: Response): Response {
  if (response.body === null) return response;
  let left = MAX_UNARY_BYTES;
  const counting = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
    transform(chunk, controller) {
      left -= chunk.length;
      if (left >= 0) return controller.enqueue(chunk);
      controller.error(
        toSluiceError(
          new ForeignAnswer(
            `${response.url} answered with more than ${MAX_UNARY_BYTES} bytes`,
            Code.ResourceExhausted,
            response.status,
          ),
        ),
      );
    },
  });
  const { status, statusText, headers } = response;
  return new Response(response.body.pipeThrough(counting), { status, statusText, headers });
}

/** The error for what a proxy, a login page or a wrong address answers. */
export async function foreignAnswer(response: Response, type: string): Promise<ConnectError> {
  const { status, statusText, headers, url } = response;
  const start = await readStart(response);
  const text = new TextDecoder().decode(start).replaceAll(/\s+/g, " ").trim().slice(0, QUOTED_CHARS);
  const what = status === 200 ? `content type "${type}"` : `HTTP ${status}${statusText ? ` ${statusText}` : ""}`;
  const quoted = text === "" ? "" : `: ${text}`;
  const error = new ForeignAnswer(`${url} answered with ${what}${quoted}`, codeOf(status), status, headers);
  if (status === 200 || !type.startsWith("application/json")) return error;
  // Before a stream begins, a Connect server may refuse it as it would a unary call.
  try {
    return errorFromJsonBytes(start, headers, error);
  } catch {
    return error;
  }
}

/** A request that took too long, 408, is no fault of the client's. */
function codeOf(status: number): Code {
  if (status === 200) return Code.Unknown;
  return status === 408 ? Code.Unavailable : codeFromHttpStatus(status);
}

/** The beginning of a body of unknown length; enough for an error of ours, and to recognise one that is not. */
async function readStart(response: Response): Promise<Uint8Array> {
  const start = new Uint8Array(64 * 1024);
  let length = 0;
  const reader = response.body?.getReader();
  try {
    while (reader !== undefined && length < start.length) {
      const { done, value } = await reader.read();
      if (done) break;
      const part = value.subarray(0, start.length - length);
      start.set(part, length);
      length += part.length;
    }
  } catch {
    // The status says enough.
  }
  reader?.cancel().catch(() => {});
  return start.subarray(0, length);
}
