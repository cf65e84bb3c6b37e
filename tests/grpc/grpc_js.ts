/**
 * @grpc/grpc-js as it is used by Node programs, with the messages of gen/.
 *
 * @module
 */
import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { type CallOptions, Client, type ClientWritableStream, credentials, Metadata } from "@grpc/grpc-js";
import { Buffer } from "node:buffer";
import type { Method } from "../support/wire.ts";

export { Metadata, type ServiceError, status } from "@grpc/grpc-js";

export interface Call<I extends DescMessage, O extends DescMessage> {
  /** Resolves when there is room for more. */
  write(message: MessageInitShape<I>): Promise<void>;
  end(): void;
  cancel(): void;
  /** Rejects with a ServiceError. */
  readonly receipt: Promise<MessageShape<O>>;
}

export interface GrpcOptions extends CallOptions {
  readonly metadata?: Metadata;
  /** Instead of the service's own name. */
  readonly service?: string;
}

/** One connection. */
export class GrpcClient implements Disposable {
  readonly #client: Client;

  /** `gzip` compresses what is sent. */
  constructor(url: string, { gzip = false } = {}) {
    // Otherwise channels to one target share their connections, and tests each other's.
    const own = { "grpc.use_local_subchannel_pool": 1 };
    this.#client = new Client(new URL(url).host, credentials.createInsecure(), {
      ...own,
      ...(gzip && { "grpc.default_compression_algorithm": 2 }),
    });
  }

  /** Begins a call of a client-streaming method. */
  begin<I extends DescMessage, O extends DescMessage>(
    method: Method<I, O>,
    { metadata = new Metadata(), service = method.parent.typeName, ...options }: GrpcOptions = {},
  ): Call<I, O> {
    const { promise: receipt, resolve, reject } = Promise.withResolvers<MessageShape<O>>();
    // A test that cancels a call may not look at how it ended.
    receipt.catch(() => {});
    const stream: ClientWritableStream<MessageInitShape<I>> = this.#client.makeClientStreamRequest(
      `/${service}/${method.name}`,
      (message: MessageInitShape<I>) => Buffer.from(toBinary(method.input, create(method.input, message))),
      (bytes: Uint8Array) => fromBinary(method.output, bytes),
      metadata,
      options,
      (error: Error | null, value?: MessageShape<O>) => value === undefined ? reject(error) : resolve(value),
    );
    return {
      receipt,
      async write(message) {
        if (stream.write(message)) return;
        await Promise.race([
          new Promise<void>((resolve) => stream.once("drain", resolve)),
          receipt.then(() => {}, () => {}),
        ]);
      },
      end: () => void stream.end(),
      cancel: () => stream.cancel(),
    };
  }

  /** A whole call. */
  async send<I extends DescMessage, O extends DescMessage>(
    method: Method<I, O>,
    messages: readonly MessageInitShape<I>[],
    options?: GrpcOptions,
  ): Promise<MessageShape<O>> {
    const call = this.begin(method, options);
    for (const message of messages) await call.write(message);
    call.end();
    return await call.receipt;
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}
