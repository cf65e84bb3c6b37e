/**
 * Signatures of requests to S3 (AWS Signature Version 4), by aws4fetch.
 *
 * @module
 */
import { AwsV4Signer } from "aws4fetch";

/** Where a bucket is, and who asks. */
export interface S3Config {
  /** URL of the bucket, without a slash at the end: `https://HOST/BUCKET` or `https://BUCKET.HOST`. */
  readonly url: string;
  /** What keys begin with: empty, or with a slash at the end. */
  readonly prefix: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Of temporary credentials. */
  readonly sessionToken: string | undefined;
}

/** Returns the headers of a request with its signature among them; `now` is ms since the epoch. */
export type S3Sign = (
  request: { readonly method: string; readonly url: URL; readonly headers: Readonly<Record<string, string>> },
  now: number,
) => Promise<HeadersInit>;

export function createSigner({ region, accessKeyId, secretAccessKey, sessionToken }: S3Config): S3Sign {
  // Keys that it derives; there is one for each day.
  let cache = new Map<string, ArrayBuffer>();
  return async ({ method, url, headers }, now) => {
    if (cache.size > 10) cache = new Map();
    const signer = new AwsV4Signer({
      method,
      url: url.href,
      headers,
      service: "s3",
      region,
      accessKeyId,
      secretAccessKey,
      sessionToken,
      cache,
      datetime: new Date(now).toISOString().replace(/[:-]|\.\d{3}/g, ""),
    });
    return (await signer.sign()).headers;
  };
}
