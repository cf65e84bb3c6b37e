/** The client broke the protocol or exceeded a limit. It is answered with `status`, and the connection ends. */
export class Http1RequestError extends Error {
  override readonly name = "Http1RequestError";
  constructor(readonly status: number, message: string) {
    super(message);
  }
}

/**
 * Why a request ended before its time. A handler sees it as the reason of `request.signal` and as what the request
 * body throws.
 */
export class RequestAborted extends Error {
  override readonly name = "Http1RequestAborted";
  constructor(
    /** Who ended it: the client went away, this server gave it up, or the connection failed. */
    readonly by: "client" | "server" | "connection",
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
