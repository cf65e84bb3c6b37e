/**
 * Asks an endpoint how it is, by grpc.health.v1.
 *
 * @module
 */
import { Code } from "./deps.ts";
import { SluiceError, toSluiceError } from "./errors.ts";

/**
 * Resolves if the endpoint is healthy.
 *
 * @throws {SluiceError} `unavailable` if it is not, or does not answer.
 */
export async function checkHealth(fetch: typeof globalThis.fetch, url: string, timeoutMs: number): Promise<void> {
  let response: Response;
  try {
    response = await fetch(`${url}/grpc.health.v1.Health/Check`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: "{}",
      signal: AbortSignal.timeout(timeoutMs),
    });
  } catch (error) {
    throw toSluiceError(error);
  }
  const text = await response.text().catch(() => "");
  // 404 and 501 are of those who do not have the service, or do not show it: they answer, and that has to do.
  const { status } = response;
  if (status === 404 || status === 501 || (status === 200 && /"status"\s*:\s*"SERVING"/.test(text))) return;
  throw new SluiceError(`${url} says of its health: HTTP ${status} ${text.slice(0, 100)}`, {
    code: Code.Unavailable,
    reason: "server",
    retryable: true,
  });
}
