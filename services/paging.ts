/**
 * Sizes of pages.
 *
 * @module
 */
import { invalidArgument } from "../errors.ts";
import { DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE } from "../limits.ts";

/** How many rows to answer with; 0 asks for the default. */
export function pageSize(asked: number): number {
  if (asked < 0 || asked > MAX_PAGE_SIZE) {
    throw invalidArgument("page_size", `must be from 0 to ${MAX_PAGE_SIZE}: current value is ${asked}`);
  }
  return asked || DEFAULT_PAGE_SIZE;
}
