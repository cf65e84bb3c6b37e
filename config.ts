/**
 * The environment as a frozen Config. Every fault is reported at once, so that an operator fixes them in one go.
 *
 * @module
 */
import {
  ALLOWED_EXTENSIONS,
  COLD_HOURS,
  DAY,
  HOUR,
  HOUSEKEEPING_SECONDS,
  MAX_FILE_BYTES,
  MAX_RETENTION_DAYS,
  MAX_SERIES,
  MAX_STREAMS,
  MAX_WORKERS,
  MIN_FREE_BYTES,
  RETENTION_DAYS,
  SECOND,
  STREAM_RECORD_DAYS,
  UPLOAD_EXPIRY_MS,
} from "./limits.ts";
import type { CorsOrigins } from "./rpc/cors.ts";
import { type LogRule, parseLogRules } from "./services/log_rules.ts";
import type { BlobsConfig, StoresConfig } from "./store/open.ts";

export interface Address {
  readonly hostname: string;
  readonly port: number;
}

export interface Config extends StoresConfig {
  readonly address: Address;
  /** Servers on the one port, each in a thread of its own. */
  readonly workers: number;
  readonly maxFileBytes: number;
  /** Lower-case, with the dot. */
  readonly allowedExtensions: readonly string[];
  /** PEM files; undefined for no TLS. */
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
  /** How old a connection may become before its client is asked for a new one, ms; Infinity for any age. */
  readonly maxConnectionAge: number;
  /** Time between two rounds of housekeeping, ms. */
  readonly housekeeping: number;
  readonly logRules: readonly LogRule[];
  /** The origins of other pages than our own that may call. */
  readonly corsOrigins: CorsOrigins;
  /** Whether this is Deno Deploy, which has no disk. */
  readonly onDeploy: boolean;
}

/** All that is wrong with the environment, one fault a line. */
export class ConfigError extends Error {
  override name = "ConfigError";
  constructor(readonly faults: readonly string[]) {
    super(faults.join("\n"));
  }
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Reads the configuration. Throws a ConfigError that names every fault. */
export function readConfig(env: Environment): Config {
  const faults: string[] = [];
  const number = (name: string, fallback: number, min: number, max: number): number => {
    const text = env[name];
    if (text === undefined || text === "") return fallback;
    const value = Number(text);
    if (Number.isInteger(value) && value >= min && value <= max) return value;
    faults.push(`${name} must be a whole number from ${min} to ${max}: current value is ${JSON.stringify(text)}`);
    return fallback;
  };
  const attempt = <T>(name: string, parse: (text: string) => T, fallback: T): T => {
    const text = env[name];
    if (text === undefined || text === "") return fallback;
    try {
      return parse(text);
    } catch (error) {
      faults.push(`${name} ${(error as Error).message}: current value is ${JSON.stringify(text)}`);
      return fallback;
    }
  };

  const onDeploy = Boolean(env.DENO_DEPLOYMENT_ID);
  const data = env.SLUICE_DATA || "./data";
  // On Deploy, what Deno.serve listens on by itself.
  const address = attempt(
    "SLUICE_LISTEN",
    parseAddress,
    onDeploy ? { hostname: "0.0.0.0", port: 8000 } : { hostname: "127.0.0.1", port: 8080 },
  );
  const blobs: BlobsConfig = onDeploy ? { kind: "kv" } : { kind: "file", path: `${data}/blobs` };
  const { SLUICE_TLS_CERT, SLUICE_TLS_KEY } = env;
  if (Boolean(SLUICE_TLS_CERT) !== Boolean(SLUICE_TLS_KEY)) {
    faults.push("SLUICE_TLS_CERT and SLUICE_TLS_KEY must both be set, or neither");
  }
  const config: Config = {
    address,
    data,
    kv: attempt("SLUICE_KV", parseKv, onDeploy ? undefined : `${data}/kv.sqlite`),
    blobs: attempt("SLUICE_BLOBS", (text) => parseBlobs(text, env, faults), blobs),
    workers: number("SLUICE_WORKERS", 1, 1, MAX_WORKERS),
    maxFileBytes: number("SLUICE_MAX_FILE_BYTES", MAX_FILE_BYTES, 1, Number.MAX_SAFE_INTEGER),
    allowedExtensions: attempt("SLUICE_ALLOWED_EXTENSIONS", parseExtensions, ALLOWED_EXTENSIONS),
    retention: number("SLUICE_RETENTION_DAYS", RETENTION_DAYS, 1, MAX_RETENTION_DAYS) * DAY,
    maxSeries: number("SLUICE_MAX_SERIES", MAX_SERIES, 1, 10_000_000),
    uploadExpiry: number("SLUICE_UPLOAD_EXPIRY_SECONDS", UPLOAD_EXPIRY_MS / SECOND, 1, 365 * DAY / SECOND) * SECOND,
    streamLifetime: number("SLUICE_STREAM_DAYS", STREAM_RECORD_DAYS, 1, 365) * DAY,
    coldAfter: number("SLUICE_COLD_HOURS", COLD_HOURS, 0, MAX_RETENTION_DAYS * 24) * HOUR,
    maxStreams: number("SLUICE_MAX_STREAMS", MAX_STREAMS, 1, 100_000_000),
    tls: SLUICE_TLS_CERT && SLUICE_TLS_KEY ? { cert: SLUICE_TLS_CERT, key: SLUICE_TLS_KEY } : undefined,
    maxConnectionAge: number("SLUICE_MAX_CONNECTION_AGE_SECONDS", 0, 0, 365 * DAY / SECOND) * SECOND || Infinity,
    housekeeping: number("SLUICE_HOUSEKEEPING_SECONDS", HOUSEKEEPING_SECONDS, 1, DAY / SECOND) * SECOND,
    minFreeBytes: number("SLUICE_MIN_FREE_BYTES", MIN_FREE_BYTES, 0, Number.MAX_SAFE_INTEGER),
    corsOrigins: attempt("SLUICE_CORS_ORIGINS", parseOrigins, []),
    logRules: attempt("SLUICE_LOG_RULES", parseLogRules, []),
    onDeploy,
  };
  if (config.workers > 1) {
    const fault = (why: string) =>
      faults.push(`SLUICE_WORKERS must be 1 ${why}: current value is ${JSON.stringify(env.SLUICE_WORKERS)}`);
    if (onDeploy) fault("on Deno Deploy, which starts instances by itself");
    // Each worker would have a store of its own, and answer from that alone.
    else if (config.kv === ":memory:" || config.blobs.kind === "memory") fault("with a store that is in memory");
  }
  // Runs, and files, would be gone after a restart, and KV would still name them.
  if (config.blobs.kind === "memory" && config.kv !== ":memory:") {
    faults.push(`SLUICE_BLOBS=memory: needs SLUICE_KV=:memory: current value is ${JSON.stringify(config.kv)}`);
  }
  if (env.SLUICE_AUTH && env.SLUICE_AUTH !== "none") {
    faults.push(`SLUICE_AUTH must be none, or not set: current value is ${JSON.stringify(env.SLUICE_AUTH)}`);
  }
  // Whoever can reach the port can read and delete everything, so only this machine may reach it.
  if (!onDeploy && !isLoopback(address.hostname) && env.SLUICE_AUTH !== "none") {
    faults.push(
      `SLUICE_LISTEN must be a loopback address unless SLUICE_AUTH=none says that anyone may do anything: ` +
        `current value is ${JSON.stringify(env.SLUICE_LISTEN)}`,
    );
  }
  if (faults.length > 0) throw new ConfigError(faults);
  return Object.freeze(config);
}

/** `host:port`, `[v6]:port` or `:port`. */
function parseAddress(text: string): Address {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (!match || port > 65535) throw new Error("must be an address and a port, such as 127.0.0.1:8080 or [::1]:8080");
  return { hostname: match[1] ?? (match[2] || "0.0.0.0"), port };
}

function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "::1" || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}

/** A path, `:memory:`, or the URL of a denokv server. */
function parseKv(text: string): string {
  if (/^[a-z][a-z\d+.-]+:\/\//i.test(text) && !/^https?:\/\/[^/]/i.test(text)) {
    throw new Error("must be a path, :memory:, or an http or https URL");
  }
  return text;
}

function parseBlobs(text: string, env: Environment, faults: string[]): BlobsConfig {
  if (text === "kv:") return { kind: "kv" };
  if (text === "memory:") return { kind: "memory" };
  if (text.startsWith("file:") && text.length > 5) return { kind: "file", path: text.slice(5) };
  if (text.startsWith("s3:")) return parseS3(text, env, faults);
  throw new Error("must be file:PATH, kv:, s3://BUCKET/PREFIX?endpoint=URL&region=R or memory:");
}

/** `s3://BUCKET/PREFIX?endpoint=URL&region=R`, with the credentials of their own variables. */
function parseS3(text: string, env: Environment, faults: string[]): BlobsConfig {
  const match = /^s3:\/\/([^/?#]*)(?:\/([^?#]*))?(?:\?([^#]*))?$/.exec(text);
  if (!match) throw new Error("must be s3://BUCKET/PREFIX?endpoint=URL&region=R");
  const [, bucket, path = "", query = ""] = match;
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket)) throw new Error("must name a bucket as S3 has them");
  const prefix = path.replace(/\/$/, "");
  // What needs no escape in a URL, in a listing or in a signature, where servers differ.
  const isPlain = prefix.split("/").every((part) => /^[A-Za-z0-9._-]+$/.test(part) && part !== "." && part !== "..");
  if (prefix !== "" && !isPlain) {
    throw new Error("must have a prefix of letters, digits, '.', '_' and '-', parted by '/'");
  }
  const parameters = new URLSearchParams(query);
  for (const name of parameters.keys()) {
    if (!["endpoint", "region"].includes(name)) throw new Error(`must not have the parameter ${JSON.stringify(name)}`);
    if (parameters.getAll(name).length > 1) throw new Error(`must not have the parameter ${name} twice`);
  }
  const endpoint = parameters.get("endpoint");
  const region = parameters.get("region") ?? (endpoint === null ? "" : "us-east-1");
  if (!/^[a-z0-9-]{1,64}$/.test(region)) {
    throw new Error("must name a region, or an endpoint of another service than AWS");
  }
  for (const name of ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]) {
    if (!env[name]) faults.push(`${name} must be set for the bucket that SLUICE_BLOBS names`);
  }
  return {
    kind: "s3",
    url: bucketUrl(bucket, endpoint, region),
    prefix: prefix === "" ? "" : `${prefix}/`,
    region,
    accessKeyId: env.AWS_ACCESS_KEY_ID ?? "",
    secretAccessKey: env.AWS_SECRET_ACCESS_KEY ?? "",
    sessionToken: env.AWS_SESSION_TOKEN || undefined,
  };
}

function bucketUrl(bucket: string, endpoint: string | null, region: string): string {
  if (endpoint === null) {
    // The certificate of AWS covers no dots in a bucket's name.
    const host = `s3.${region}.amazonaws.com`;
    return bucket.includes(".") ? `https://${host}/${bucket}` : `https://${bucket}.${host}`;
  }
  const url = URL.parse(endpoint);
  const isOrigin = url && /^https?:$/.test(url.protocol) && url.href === `${url.origin}/`;
  if (!isOrigin) throw new Error("must have an endpoint such as https://s3.example.com");
  return `${url.origin}/${bucket}`;
}

function parseOrigins(text: string): CorsOrigins {
  if (text.trim() === "*") return "*";
  const origins = text.split(",").map((part) => part.trim()).filter((part) => part !== "");
  for (const origin of origins) {
    // As browsers send it: lower-case, without a path, without the scheme's own port.
    const url = URL.parse(origin);
    if (!url || !/^https?:$/.test(url.protocol) || url.origin !== origin || origin.includes("*")) {
      throw new Error("must be origins such as https://example.com or http://localhost:5173, parted by commas, or *");
    }
  }
  return origins;
}

function parseExtensions(text: string): string[] {
  const extensions = text.split(/[\s,]+/).filter((part) => part !== "").map((part) => part.toLowerCase());
  if (extensions.length === 0 || extensions.some((e) => !/^\.[a-z0-9]+(\.[a-z0-9]+)*$/.test(e))) {
    throw new Error("must be extensions with their dots, such as .txt,.csv,.json");
  }
  return extensions;
}
