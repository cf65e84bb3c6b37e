import { assertEquals, assertThrows } from "@std/assert";
import { Code, ConnectError } from "@connectrpc/connect";
import { ulid } from "ulid";
import { streamOf } from "../../rpc/stream_headers.ts";
import { badFields } from "../support/wire.ts";

const NOW = 1_700_000_000_000;
const id = ulid(NOW);

Deno.test("streamOf() reads what the headers say, and knows when the stream began", () => {
  assertEquals(streamOf(new Headers()), undefined);
  assertEquals(streamOf(new Headers({ "sluice-stream-id": id })), { id, beganAt: NOW, start: 0, end: undefined });
  const name = `${"aZ.9_-".repeat(16)}abcd`;
  assertEquals(
    streamOf(new Headers({ "sluice-stream-id": name + id, "sluice-start": "7", "sluice-end": "9007199254740991" })),
    { id: name + id, beganAt: NOW, start: 7, end: Number.MAX_SAFE_INTEGER },
  );
  assertEquals(streamOf(new Headers({ "sluice-stream-id": id, "sluice-start": "7", "sluice-end": "7" }))?.end, 7);
});

Deno.test("streamOf() refuses what is no id, no sequence or no end, and says which header it is", () => {
  const wrong: [field: string, headers: Record<string, string>][] = [
    ["sluice-stream-id", { "sluice-stream-id": "" }],
    ["sluice-stream-id", { "sluice-stream-id": "upload" }],
    ["sluice-stream-id", { "sluice-stream-id": id.slice(1) }],
    ["sluice-stream-id", { "sluice-stream-id": `${id}x` }],
    ["sluice-stream-id", { "sluice-stream-id": `a/b${id}` }],
    ["sluice-stream-id", { "sluice-stream-id": `a b${id}` }],
    ["sluice-stream-id", { "sluice-stream-id": `a:${id}` }],
    ["sluice-stream-id", { "sluice-stream-id": id.toLowerCase() }],
    ["sluice-stream-id", { "sluice-stream-id": `8${id.slice(1)}` }],
    ["sluice-stream-id", { "sluice-stream-id": id.replace(/.$/, "U") }],
    ["sluice-stream-id", { "sluice-stream-id": "x".repeat(101) + id }],
    // Twice is one header with both, by HTTP.
    ["sluice-stream-id", { "sluice-stream-id": `${id}, ${id}` }],
    ["sluice-start", { "sluice-start": "1" }],
    ["sluice-end", { "sluice-end": "1" }],
    ...["-1", "1.5", "", "1e3", "0x1", "one", "9007199254740992", "1".repeat(400)].flatMap((
      value,
    ): [string, Record<string, string>][] => [
      ["sluice-start", { "sluice-stream-id": id, "sluice-start": value }],
      ["sluice-end", { "sluice-stream-id": id, "sluice-end": value }],
    ]),
    ["sluice-end", { "sluice-stream-id": id, "sluice-start": "5", "sluice-end": "4" }],
  ];
  for (const [field, headers] of wrong) {
    const error = assertThrows(() => streamOf(new Headers(headers)), ConnectError);
    assertEquals([Code[error.code], badFields2(error)], ["InvalidArgument", [field]], JSON.stringify(headers));
  }
});

/** Fields of the BadRequest that an error was made with. */
function badFields2(error: ConnectError): string[] {
  return error.details.flatMap((detail) =>
    "desc" in detail
      ? (detail.value as { fieldViolations: { field: string }[] }).fieldViolations.map(({ field }) => field)
      : badFields(error)
  );
}
