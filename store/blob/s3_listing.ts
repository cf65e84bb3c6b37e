/**
 * The answer to ListObjectsV2 (Amazon S3 API Reference, "ListObjectsV2").
 *
 * Read with a few expressions instead of an XML parser: the answer has one fixed shape without attributes that matter,
 * CDATA or comments, and what a parser would add (DTDs, namespaces, five packages) is what attacks on parsers live on. In
 * turn it is strict: an answer that is cut, or another page, must never pass for an empty bucket.
 *
 * @module
 */

export interface S3Object {
  readonly key: string;
  /** Bytes. */
  readonly size: number;
  /** ms since the epoch. */
  readonly changedAt: number;
}

export interface Listing {
  readonly objects: readonly S3Object[];
  /** What the request for the next page names; undefined on the last one. */
  readonly next: string | undefined;
}

const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

/** Throws if the text is not a whole listing. */
export function parseListing(xml: string): Listing {
  const root = /^(?:\uFEFF)?\s*(?:<\?xml[^>]*\?>)?\s*<ListBucketResult(?:\s[^>]*)?>([\s\S]*)<\/ListBucketResult>\s*$/
    .exec(xml);
  if (!root) throw new Error("the answer is not a listing");
  const objects: S3Object[] = [];
  const rest = root[1].replace(/<Contents>([\s\S]*?)<\/Contents>/g, (_, contents: string) => {
    const size = Number(text(contents, "Size"));
    const changedAt = Date.parse(text(contents, "LastModified"));
    if (!Number.isSafeInteger(size) || size < 0 || Number.isNaN(changedAt)) {
      throw new Error("a listed object has no size or time");
    }
    objects.push({ key: text(contents, "Key"), size, changedAt });
    return "";
  });
  if (rest.includes("<Contents") || rest.includes("</Contents")) throw new Error("an object of the listing has no end");
  const truncated = text(rest, "IsTruncated");
  if (truncated !== "true" && truncated !== "false") throw new Error(`IsTruncated is ${truncated}`);
  return { objects, next: truncated === "true" ? text(rest, "NextContinuationToken") : undefined };
}

/** Code of an error's answer; empty if it has none. */
export function errorCode(xml: string): string {
  return /<Code>([A-Za-z0-9.]{1,100})<\/Code>/.exec(xml)?.[1] ?? "";
}

/** Text of the one element of that name. */
function text(xml: string, name: string): string {
  const found = [...xml.matchAll(new RegExp(`<${name}>([^<]*)</${name}>`, "g"))];
  if (found.length !== 1) throw new Error(`the listing has ${found.length} of ${name} where it should have one`);
  return found[0][1].replace(/&(?:#(\d+)|#x([0-9a-fA-F]+)|(\w+));/g, (whole, decimal, hex, name) => {
    if (name !== undefined) return ENTITIES[name] ?? whole;
    return String.fromCodePoint(decimal !== undefined ? Number(decimal) : parseInt(hex, 16));
  });
}
