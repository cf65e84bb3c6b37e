/**
 * The answer to a client-streaming call: one message and the end of the stream, or an error.
 *
 * @module
 */
import {
  Code,
  codeFromHttpStatus,
  ConnectError,
  contentTypeStreamProto,
  endStreamFlag,
  endStreamFromJson,
  errorFromJsonBytes,
} from "./deps.ts";
import { readEnvelopes } from "./envelope.ts";

/** Characters of a foreign answer that an error quotes. */
const QUOTED_CHARS = 200;

/**
 * The one message of an answer.
 *
 * @throws {ConnectError} The server's error; or, for an answer that is not Sluice's, the code that Connect gives its
 * HTTP status, and a message that names the status; `unavailable` if the answer was cut.
 */
export async function readAnswer(response: Response): Promise<Uint8Array> {
  const type = response.headers.get("content-type") ?? "";
  const isStream = type.split(";")[0].trim() === contentTypeStreamProto;
  if (response.status !== 200 || !isStream) throw await foreignAnswer(response, type);

  let message: Uint8Array | undefined;
  let ended = false;
  for await (const { flags, data } of readEnvelopes(response.body ?? new ReadableStream())) {
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
    if (message !== undefined) {
      throw new ConnectError("The answer holds more than one message", Code.Unimplemented, response.headers);
    }
    // A copy, for the reader goes on with the buffer that this lies in.
    message = data.slice();
  }
  if (!ended) throw new ConnectError("The answer was cut before its end", Code.Unavailable, response.headers);
  if (message === undefined) {
    throw new ConnectError("The answer holds no message", Code.Unimplemented, response.headers);
  }
  return message;
}

/** The error for what a proxy, a login page or a wrong address answers. */
async function foreignAnswer(response: Response, type: string): Promise<ConnectError> {
  const { status, statusText, headers, url } = response;
  const start = await readStart(response);
  const text = new TextDecoder().decode(start).replaceAll(/\s+/g, " ").trim().slice(0, QUOTED_CHARS);
  const what = status === 200 ? `content type "${type}"` : `HTTP ${status}${statusText ? ` ${statusText}` : ""}`;
  const quoted = text === "" ? "" : `: ${text}`;
  const code = status === 200 ? Code.Unknown : codeFromHttpStatus(status);
  const error = new ConnectError(`${url} answered with ${what}${quoted}`, code, headers);
  if (status === 200 || !type.startsWith("application/json")) return error;
  // Before a stream begins, a Connect server may refuse it as it would a unary call.
  try {
    return errorFromJsonBytes(start, headers, error);
  } catch {
    return error;
  }
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
