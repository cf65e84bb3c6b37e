/**
 * For `deno run --preload`: on SIGUSR1, each worker throws an error that nobody catches.
 *
 * @module
 */
const PlainWorker = globalThis.Worker;

globalThis.Worker = class extends PlainWorker {
  constructor(specifier: string | URL, options?: WorkerOptions) {
    super(specifier, options);
    // No request: a worker that is sent this falls over it.
    Deno.addSignalListener("SIGUSR1", () => this.postMessage(null));
  }
};
