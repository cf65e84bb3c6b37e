import { assertEquals, assertThrows } from "@std/assert";
import { errorCode, parseListing } from "../../../store/blob/s3_listing.ts";
import { Random } from "../format/random.ts";

const HEAD =
  '<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">';
const escape = (text: string) =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");

Deno.test("parseListing() reads the elements in any order, among others", () => {
  const listing = parseListing(
    `${HEAD}<Name>b</Name><Prefix>p/</Prefix><KeyCount>2</KeyCount><MaxKeys>1000</MaxKeys><IsTruncated>true</IsTruncated>
    <Contents><LastModified>2026-11-24T03:34:45Z</LastModified><ETag>&#34;5d41&#34;</ETag><Key>p/a</Key><Size>5</Size></Contents>
    <Contents><Key>p/&lt;b&gt; &amp;amp;&#x41;&#66;</Key><Size>0</Size><Owner><ID>1</ID></Owner>
    <LastModified>2026-11-24T03:34:45.250Z</LastModified></Contents>
    <NextContinuationToken>1/a+b==</NextContinuationToken></ListBucketResult>\n`,
  );
  const changedAt = Date.UTC(2026, 10, 24, 3, 34, 45);
  assertEquals(listing, {
    objects: [
      { key: "p/a", size: 5, changedAt },
      { key: "p/<b> &amp;AB", size: 0, changedAt: changedAt + 250 },
    ],
    next: "1/a+b==",
  });
});

Deno.test("parseListing() gives back any keys", () => {
  const random = new Random(Number(Deno.env.get("SEED") ?? 5));
  for (let n = 0; n < 200; n++) {
    const objects = Array.from({ length: random.below(5) }, () => ({
      key: random.text(20),
      size: random.below(2 ** 40),
      changedAt: random.below(2 ** 41),
    }));
    const contents = objects.map(({ key, size, changedAt }) =>
      `<Contents><Key>${escape(key)}</Key><Size>${size}</Size><LastModified>${
        new Date(changedAt).toISOString()
      }</LastModified></Contents>`
    );
    const xml = `${HEAD}<IsTruncated>false</IsTruncated>${contents.join("")}</ListBucketResult>`;
    assertEquals(parseListing(xml), { objects, next: undefined });
    // No beginning of it is a listing.
    const cut = xml.slice(0, random.below(xml.length));
    assertThrows(() => parseListing(cut));
  }
});

Deno.test("parseListing() refuses what is no listing, or lacks what it must say", () => {
  const contents = "<Contents><Key>a</Key><Size>1</Size><LastModified>2026-11-24T03:34:45Z</LastModified></Contents>";
  const wrap = (inner: string) => `${HEAD}${inner}</ListBucketResult>`;
  const done = "<IsTruncated>false</IsTruncated>";
  assertEquals(parseListing(wrap(done + contents)).objects.length, 1);
  const wrong = [
    "",
    "<html></html>",
    `<Error><Code>NoSuchBucket</Code></Error>`,
    wrap(""),
    wrap(contents),
    wrap(`<IsTruncated>maybe</IsTruncated>${contents}`),
    wrap(`<IsTruncated>true</IsTruncated>${contents}`),
    wrap(done + contents.replace("<Key>a</Key>", "")),
    wrap(done + contents.replace("<Key>a</Key>", "<Key>a</Key><Key>b</Key>")),
    wrap(done + contents.replace("<Size>1</Size>", "<Size>-1</Size>")),
    wrap(done + contents.replace("<Size>1</Size>", "<Size>1.5</Size>")),
    wrap(done + contents.replace("<Size>1</Size>", "<Size>many</Size>")),
    wrap(done + contents.replace("2026-11-24T03:34:45Z", "yesterday")),
    wrap(done + contents.replace("</Contents>", "")),
    wrap(done + contents) + wrap(done),
  ];
  for (const xml of wrong) assertThrows(() => parseListing(xml), Error, undefined, xml);
});

Deno.test("errorCode() finds the code of an error, if there is one", () => {
  assertEquals(errorCode("<Error><Code>SlowDown</Code><Message>x</Message></Error>"), "SlowDown");
  for (const text of ["", "<html>", "<Code></Code>", "<Code><b></Code>"]) assertEquals(errorCode(text), "");
});
