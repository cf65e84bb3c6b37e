/**
 * Waiting for what happens in another process.
 *
 * @module
 */

/** Polls until `condition` holds and returns what it returned; throws when it has not after `ms`. */
export async function until<T>(condition: () => T | Promise<T>, ms: number): Promise<NonNullable<T>> {
  const deadline = performance.now() + ms;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (performance.now() >= deadline) throw new Error(`did not become so within ${ms} ms: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
