/**
 * The messages of `connectrpc.conformance.v1` that a server under test reads. Their descriptors come with the runner, see
 * descriptors.ts; here is what they look like once they are decoded.
 *
 * @module
 */
import type { Message } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import type { Code } from "@connectrpc/connect";

export const PACKAGE = "connectrpc.conformance.v1";

/** What the runner asks a program for: a server that can do at least this. */
export interface ServerCompatRequest extends Message {
  readonly useTls: boolean;
  /** Set under TLS: a certificate for loopback and its key, as PEM. */
  readonly serverCreds?: { readonly cert: Uint8Array; readonly key: Uint8Array };
  /** Bytes that a message may have. */
  readonly messageReceiveLimit: number;
}

export interface Header {
  readonly name: string;
  readonly value: readonly string[];
}

/** An error to answer with. */
export interface ErrorDefinition {
  readonly code: Code;
  readonly message?: string;
  readonly details: readonly Any[];
}

export interface Metadata {
  readonly responseHeaders: readonly Header[];
  readonly responseTrailers: readonly Header[];
}

/** What to answer where there is one message. */
export interface UnaryDefinition extends Metadata {
  readonly response:
    | { readonly case: "responseData"; readonly value: Uint8Array }
    | { readonly case: "error"; readonly value: ErrorDefinition }
    | { readonly case: undefined };
  readonly responseDelayMs: number;
}

/** What to answer where there is a stream. */
export interface StreamDefinition extends Metadata {
  readonly responseData: readonly Uint8Array[];
  readonly responseDelayMs: number;
  readonly error?: ErrorDefinition;
}

/** UnaryRequest, IdempotentUnaryRequest and ClientStreamRequest. */
export interface UnaryRequest extends Message {
  readonly responseDefinition?: UnaryDefinition;
}

/** ServerStreamRequest. */
export interface StreamRequest extends Message {
  readonly responseDefinition?: StreamDefinition;
}

export interface BidiStreamRequest extends StreamRequest {
  /** Whether requests and answers take turns; otherwise all requests come first. */
  readonly fullDuplex: boolean;
}
