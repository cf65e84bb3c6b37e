/**
 * What the operator reads: one line of JSON for each event, on standard error.
 *
 * @module
 */

export function logEvent(
  level: "info" | "warn" | "error",
  message: string,
  details: Record<string, unknown> = {},
): void {
  const entry: Record<string, unknown> = { time: new Date().toISOString(), level, message };
  for (const [key, value] of Object.entries(details)) {
    entry[key] = value instanceof Error ? describe(value) : value;
  }
  console.error(JSON.stringify(entry));
}

/** An error with its causes. */
function describe(error: Error): string {
  const text = error.stack ?? String(error);
  return error.cause instanceof Error ? `${text}\ncaused by: ${describe(error.cause)}` : text;
}
