import { assertEquals, assertThrows } from "@std/assert";
import { Code, ConnectError } from "@connectrpc/connect";
import { DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE } from "../../limits.ts";
import { pageSize } from "../../services/paging.ts";
import { badFields } from "../support/wire.ts";

Deno.test("pageSize() is what was asked for, or the default for 0", () => {
  assertEquals(pageSize(0), DEFAULT_PAGE_SIZE);
  for (const n of [1, 100, MAX_PAGE_SIZE]) assertEquals(pageSize(n), n);
});

Deno.test("pageSize() refuses a size beyond the limit instead of cutting it", () => {
  for (const n of [-1, MAX_PAGE_SIZE + 1, -(2 ** 31), 2 ** 31 - 1]) {
    const error = assertThrows(() => pageSize(n), ConnectError);
    assertEquals([error.code, badFields(error)], [Code.InvalidArgument, ["page_size"]]);
  }
});
