import { AssertionError } from "./assertion_error.ts";
import { suffix } from "./comparisons.ts";

type ErrorClass<E extends Error> = abstract new (...args: never[]) => E;

/** `fn` throws. Returns what it threw. */
export function assertThrows(fn: () => unknown, msg?: string): unknown;
/** `fn` throws an `ErrorClass` whose message includes `msgIncludes`. Returns the error. */
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  ErrorClass: ErrorClass<E>,
  msgIncludes?: string,
  msg?: string,
): E;
export function assertThrows(
  fn: () => unknown,
  classOrMsg?: ErrorClass<Error> | string,
  msgIncludes?: string,
  msg?: string,
): unknown {
  const text = typeof classOrMsg === "string" ? classOrMsg : msg;
  let thrown: unknown;
  try {
    fn();
  } catch (error) {
    thrown = error;
    if (typeof classOrMsg !== "function") return thrown;
    return checkError(thrown, classOrMsg, msgIncludes, text);
  }
  throw new AssertionError(`Expected function to throw${suffix(text)}`);
}

/** The promise that `fn` returns is rejected. Resolves to what it was rejected with. */
export function assertRejects(fn: () => PromiseLike<unknown>, msg?: string): Promise<unknown>;
/** The promise is rejected with an `ErrorClass` whose message includes `msgIncludes`. Resolves to the error. */
export function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  ErrorClass: ErrorClass<E>,
  msgIncludes?: string,
  msg?: string,
): Promise<E>;
export async function assertRejects(
  fn: () => PromiseLike<unknown>,
  classOrMsg?: ErrorClass<Error> | string,
  msgIncludes?: string,
  msg?: string,
): Promise<unknown> {
  const text = typeof classOrMsg === "string" ? classOrMsg : msg;
  let promise: PromiseLike<unknown> | undefined;
  try {
    promise = fn();
    await promise;
  } catch (error) {
    // A function that throws before there is a promise would do so outside its caller's `.catch()`.
    if (promise === undefined) {
      throw new AssertionError(`Function throws when expected to reject${suffix(text)}`, { cause: error });
    }
    if (typeof classOrMsg !== "function") return error;
    return checkError(error, classOrMsg, msgIncludes, text);
  }
  throw new AssertionError(`Expected function to reject${suffix(text)}`);
}

function checkError(thrown: unknown, expected: ErrorClass<Error>, includes: string | undefined, msg?: string): Error {
  if (!(thrown instanceof Error)) {
    throw new AssertionError(`A non-Error object was thrown: ${Deno.inspect(thrown)}${suffix(msg)}`);
  }
  const { name, message } = thrown;
  if (!(thrown instanceof expected)) {
    throw new AssertionError(
      `Expected error to be instance of "${expected.name}", but was "${name}"${suffix(msg)}\nmessage: ${message}`,
      { cause: thrown },
    );
  }
  if (includes !== undefined && !message.includes(includes)) {
    throw new AssertionError(
      `Expected error message to include "${includes}", but got "${message}"${suffix(msg)}`,
      { cause: thrown },
    );
  }
  return thrown;
}
