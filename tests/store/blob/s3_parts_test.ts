import { assertEquals } from "@std/assert";
import { S3_LISTED_PARTS } from "../../../limits.ts";
import { type ListedPart, PartLists } from "../../../store/blob/s3_parts.ts";

/** Lists of pieces that are as long as `length` says, in parts of 10 bytes; and which pieces were listed. */
function lists(length: (blobId: string) => number) {
  const listed: string[] = [];
  const parts = new PartLists((blobId, epoch) => {
    listed.push(`${blobId}/${epoch}`);
    const parts = Array.from({ length: length(blobId) / 10 }, (_, i): ListedPart => ({ offset: i * 10, size: 10 }));
    return Promise.resolve(parts.reverse());
  });
  return { parts, listed };
}

Deno.test("PartLists: a piece is listed once, and again when more of it is asked for than was there", async () => {
  let length = 30;
  const { parts, listed } = lists(() => length);
  const spans = [{ offset: 0, start: 5, end: 10 }, { offset: 10, start: 0, end: 10 }, { offset: 20, start: 0, end: 1 }];
  for (let i = 0; i < 3; i++) assertEquals(await parts.spansOf("a", { epoch: 1, start: 5, end: 21 }), spans);
  assertEquals(listed, ["a/1"]);
  assertEquals(await parts.spansOf("a", { epoch: 1, start: 25, end: 40 }), undefined);
  length = 40;
  assertEquals((await parts.spansOf("a", { epoch: 1, start: 25, end: 40 }))?.length, 2);
  assertEquals(listed, ["a/1", "a/1", "a/1"]);
  assertEquals((await parts.spansOf("a", { epoch: 2, start: 0, end: 1 }))?.length, 1);
  assertEquals(listed.at(-1), "a/2");
  parts.forget("a", 1);
  await parts.spansOf("a", { epoch: 1, start: 0, end: 1 });
  assertEquals(listed.length, 5);
});

Deno.test("PartLists: what was used last is remembered, S3_LISTED_PARTS at the most", async () => {
  const { parts, listed } = lists((blobId) =>
    blobId === "large" ? 10 * (S3_LISTED_PARTS + 1) : 10 * S3_LISTED_PARTS / 4
  );
  const read = (blobId: string) => parts.spansOf(blobId, { epoch: 1, start: 0, end: 1 });
  for (const blobId of ["a", "b", "c", "d", "a", "e", "a"]) await read(blobId);
  assertEquals(listed, ["a/1", "b/1", "c/1", "d/1", "e/1"]);
  await read("b");
  assertEquals(listed.at(-1), "b/1");
  await read("large");
  // It is larger than all that is remembered.
  await read("large");
  assertEquals(listed.slice(-2), ["large/1", "large/1"]);
});
