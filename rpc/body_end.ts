/**
 * What a host knows about the end of a request's body, on its way to the services.
 *
 * @module
 */
import { type ContextKey, createContextKey } from "@connectrpc/connect";

/** Whether the end that came is the client's own. A host that cannot tell it from a cut sets its own answer. */
export const isEndCertain: ContextKey<() => boolean> = createContextKey(() => true, {
  description: "whether the end of the body is certain",
});
