import { assert, assertEquals, assertThrows } from "@std/assert";
import { ConfigError, readConfig } from "../config.ts";
import { ALLOWED_EXTENSIONS, DAY, MAX_FILE_BYTES, MAX_WORKERS, RETENTION_DAYS, SECOND } from "../limits.ts";

/** Faults of an environment; none is a failure. */
function faults(env: Record<string, string>): readonly string[] {
  return assertThrows(() => readConfig(env), ConfigError).faults;
}

Deno.test("readConfig() has a default for everything, on loopback, and is frozen", () => {
  const config = readConfig({});
  assertEquals(config.address, { hostname: "127.0.0.1", port: 8080 });
  assertEquals([config.data, config.kv, config.blobs], ["./data", "./data/kv.sqlite", {
    kind: "file",
    path: "./data/blobs",
  }]);
  assertEquals([config.workers, config.maxFileBytes, config.retention], [1, MAX_FILE_BYTES, RETENTION_DAYS * DAY]);
  assertEquals([config.allowedExtensions, config.logRules, config.onDeploy], [ALLOWED_EXTENSIONS, [], false]);
  assert(Object.isFrozen(config));
});

Deno.test("readConfig() takes an empty variable for none", () => {
  const names = [
    "LISTEN",
    "DATA",
    "KV",
    "BLOBS",
    "WORKERS",
    "MAX_FILE_BYTES",
    "ALLOWED_EXTENSIONS",
    "RETENTION_DAYS",
    "LOG_RULES",
    "CORS_ORIGINS",
  ];
  assertEquals(readConfig(Object.fromEntries(names.map((name) => [`SLUICE_${name}`, ""]))), readConfig({}));
});

Deno.test("readConfig() on Deno Deploy needs no disk, and listens on every address", () => {
  const config = readConfig({ DENO_DEPLOYMENT_ID: "x" });
  assertEquals([config.kv, config.blobs, config.onDeploy], [undefined, { kind: "kv" }, true]);
  assertEquals(config.address.hostname, "0.0.0.0");
});

Deno.test("readConfig() reads addresses", () => {
  const addresses: Record<string, [hostname: string, port: number]> = {
    "127.0.0.1:0": ["127.0.0.1", 0],
    "127.8.9.1:65535": ["127.8.9.1", 65535],
    "localhost:80": ["localhost", 80],
    "[::1]:8080": ["::1", 8080],
  };
  for (const [text, [hostname, port]] of Object.entries(addresses)) {
    assertEquals(readConfig({ SLUICE_LISTEN: text }).address, { hostname, port });
  }
  for (
    const text of [
      "8080",
      "localhost",
      "localhost:",
      "::1:80",
      "127.0.0.1:65536",
      "127.0.0.1:-1",
      "http://localhost:80",
    ]
  ) {
    assertEquals(faults({ SLUICE_LISTEN: text }).length, 1, text);
  }
});

Deno.test("readConfig() refuses an address beyond loopback unless anyone may do anything", () => {
  for (
    const text of [
      "0.0.0.0:80",
      ":80",
      "[::]:80",
      "192.168.1.2:80",
      "example.com:80",
      "127.evil.example:80",
      "127.0.0.1.example:80",
    ]
  ) {
    assertEquals(faults({ SLUICE_LISTEN: text }).length, 1, text);
    assertEquals(faults({ SLUICE_LISTEN: text, SLUICE_AUTH: "yes" }).length, 2, text);
    assert(readConfig({ SLUICE_LISTEN: text, SLUICE_AUTH: "none" }).address);
  }
});

Deno.test("readConfig() reads numbers, blobs, extensions and rules", () => {
  const config = readConfig({
    SLUICE_DATA: "/var/sluice",
    SLUICE_RETENTION_DAYS: "14",
    SLUICE_UPLOAD_EXPIRY_SECONDS: "90",
    SLUICE_STREAM_DAYS: "3",
    SLUICE_MAX_STREAMS: "5",
    SLUICE_MIN_FREE_BYTES: "0",
    SLUICE_BLOBS: "file:/mnt/blobs",
    SLUICE_ALLOWED_EXTENSIONS: ".TXT, .tar.gz",
    SLUICE_LOG_RULES: '[{"action":"drop","level":"debug"}]',
  });
  assertEquals([config.retention, config.uploadExpiry, config.minFreeBytes], [14 * DAY, 90 * SECOND, 0]);
  assertEquals([config.streamLifetime, config.maxStreams], [3 * DAY, 5]);
  assertEquals([config.kv, config.blobs], ["/var/sluice/kv.sqlite", { kind: "file", path: "/mnt/blobs" }]);
  assertEquals(config.allowedExtensions, [".txt", ".tar.gz"]);
  assertEquals(config.logRules[0].level, 1);
  assertEquals(readConfig({ SLUICE_BLOBS: "kv:" }).blobs, { kind: "kv" });
  assertEquals(readConfig({ SLUICE_BLOBS: "memory:", SLUICE_KV: ":memory:" }).blobs, { kind: "memory" });
  assertEquals(readConfig({ SLUICE_KV: ":memory:" }).kv, ":memory:");
});

Deno.test("readConfig() reads origins as browsers send them", () => {
  assertEquals(readConfig({}).corsOrigins, []);
  assertEquals(readConfig({ SLUICE_CORS_ORIGINS: " * " }).corsOrigins, "*");
  const origins = ["https://example.com", "http://localhost:5173"];
  assertEquals(readConfig({ SLUICE_CORS_ORIGINS: ` ${origins.join(" ,")},` }).corsOrigins, origins);
  const wrong = [
    "https://example.com/",
    "https://Example.com",
    "https://example.com:443",
    "null",
    "*,https://example.com",
    "https://*.example.com",
    "file:///x",
  ];
  for (const text of wrong) assertEquals(faults({ SLUICE_CORS_ORIGINS: text }).length, 1, text);
});

Deno.test("readConfig() reads the number of workers, one where a store is in memory or on Deno Deploy", () => {
  assertEquals(readConfig({ SLUICE_WORKERS: String(MAX_WORKERS) }).workers, MAX_WORKERS);
  for (const text of ["0", "-1", "1.5", "two", String(MAX_WORKERS + 1)]) {
    assertEquals(faults({ SLUICE_WORKERS: text }), [
      `SLUICE_WORKERS must be a whole number from 1 to ${MAX_WORKERS}: current value is ${JSON.stringify(text)}`,
    ]);
  }
  const one: Record<string, string>[] = [
    { SLUICE_KV: ":memory:" },
    { SLUICE_BLOBS: "memory:", SLUICE_KV: ":memory:" },
    { DENO_DEPLOYMENT_ID: "x" },
  ];
  for (const env of one) {
    assertEquals(readConfig({ ...env, SLUICE_WORKERS: "1" }).workers, 1);
    const [fault, ...more] = faults({ ...env, SLUICE_WORKERS: "2" });
    assert(/^SLUICE_WORKERS must be 1 .+: current value is "2"$/.test(fault), fault);
    assertEquals(more, []);
  }
});

Deno.test("readConfig() wants certificate and key, or neither", () => {
  assertEquals(readConfig({ SLUICE_TLS_CERT: "c.pem", SLUICE_TLS_KEY: "k.pem" }).tls, { cert: "c.pem", key: "k.pem" });
  assertEquals(faults({ SLUICE_TLS_CERT: "c.pem" }).length, 1);
  assertEquals(faults({ SLUICE_TLS_KEY: "k.pem" }).length, 1);
});

Deno.test("readConfig() names every fault, each with its variable and the current value", () => {
  const env: Record<string, string> = {
    SLUICE_LISTEN: "nowhere",
    SLUICE_WORKERS: "0",
    SLUICE_MAX_FILE_BYTES: "0",
    SLUICE_RETENTION_DAYS: "soon",
    SLUICE_MAX_SERIES: "1e99",
    SLUICE_STREAM_DAYS: "366",
    SLUICE_MAX_STREAMS: "0",
    SLUICE_UPLOAD_EXPIRY_SECONDS: "-1",
    SLUICE_HOUSEKEEPING_SECONDS: "NaN",
    SLUICE_MIN_FREE_BYTES: "Infinity",
    SLUICE_BLOBS: "file:",
    SLUICE_ALLOWED_EXTENSIONS: "txt",
    SLUICE_LOG_RULES: "[{}]",
    SLUICE_CORS_ORIGINS: "example.com",
  };
  const found = faults(env);
  assertEquals(found.length, Object.keys(env).length);
  for (const [name, value] of Object.entries(env)) {
    const fault = found.find((fault) => fault.startsWith(`${name} `));
    assert(fault?.endsWith(`current value is ${JSON.stringify(value)}`), `${name}: ${fault}`);
  }
});

Deno.test("readConfig() reads a bucket, with its credentials", () => {
  const credentials = { AWS_ACCESS_KEY_ID: "key", AWS_SECRET_ACCESS_KEY: "secret" };
  const bucket = (text: string, env: Record<string, string> = credentials) =>
    readConfig({ ...env, SLUICE_BLOBS: text }).blobs;
  const common = {
    kind: "s3" as const,
    region: "us-east-1",
    accessKeyId: "key",
    secretAccessKey: "secret",
    sessionToken: undefined,
  };
  const expected: Record<string, { url: string; prefix: string; region?: string }> = {
    "s3://blobs/sluice?endpoint=http://127.0.0.1:7070": { url: "http://127.0.0.1:7070/blobs", prefix: "sluice/" },
    "s3://blobs/a/b_c/?endpoint=https%3A%2F%2Fs3.example.com%2F&region=auto": {
      url: "https://s3.example.com/blobs",
      prefix: "a/b_c/",
      region: "auto",
    },
    "s3://blobs?region=eu-west-1": {
      url: "https://blobs.s3.eu-west-1.amazonaws.com",
      prefix: "",
      region: "eu-west-1",
    },
    "s3://my.blobs/?region=eu-west-1": {
      url: "https://s3.eu-west-1.amazonaws.com/my.blobs",
      prefix: "",
      region: "eu-west-1",
    },
  };
  for (const [text, parts] of Object.entries(expected)) assertEquals(bucket(text), { ...common, ...parts }, text);
  const temporary = bucket("s3://blobs?region=r", { ...credentials, AWS_SESSION_TOKEN: "token" });
  assertEquals(temporary.kind === "s3" && temporary.sessionToken, "token");
});

Deno.test("readConfig() refuses buckets that are none, and names credentials that are missing", () => {
  const credentials = { AWS_ACCESS_KEY_ID: "key", AWS_SECRET_ACCESS_KEY: "secret" };
  for (
    const text of [
      "s3:",
      "s3://",
      "s3:///prefix?region=r",
      "s3://B/prefix?region=r",
      "s3://blobs/prefix",
      "s3://blobs/prefix?endpoint=",
      "s3://blobs/prefix?endpoint=s3.example.com",
      "s3://blobs/prefix?endpoint=ftp://s3.example.com",
      "s3://blobs/prefix?endpoint=https://user:password@s3.example.com",
      "s3://blobs/prefix?endpoint=https://s3.example.com/path",
      "s3://blobs/prefix?endpoint=https://s3.example.com&region=",
      "s3://blobs/prefix?endpoint=https://s3.example.com&region=a/b",
      "s3://blobs/prefix?region=r&acl=public",
      "s3://blobs/prefix?region=r&region=s",
      "s3://blobs/a//b?region=r",
      "s3://blobs/a/../b?region=r",
      "s3://blobs/a b?region=r",
      "s3://blobs/a%2Fb?region=r",
      "s3://blobs/prefix?region=r#part",
    ]
  ) {
    const [fault, ...more] = faults({ ...credentials, SLUICE_BLOBS: text });
    assert(fault.startsWith("SLUICE_BLOBS ") && fault.endsWith(`current value is ${JSON.stringify(text)}`), fault);
    assertEquals(more, [], text);
  }
  assertEquals(faults({ SLUICE_BLOBS: "s3://blobs?region=r", AWS_SECRET_ACCESS_KEY: "" }), [
    "AWS_ACCESS_KEY_ID must be set for the bucket that SLUICE_BLOBS names",
    "AWS_SECRET_ACCESS_KEY must be set for the bucket that SLUICE_BLOBS names",
  ]);
  // Without a bucket nobody asks for them.
  assertEquals(readConfig({ SLUICE_BLOBS: "memory:", SLUICE_KV: ":memory:" }).blobs, { kind: "memory" });
});

Deno.test("readConfig() refuses what would be taken for something else: schemes, ways to authenticate, bytes in memory", () => {
  for (const text of ["http://127.0.0.1:4512", "https://kv.example.com/x", "kv:1.sqlite", "C:\\kv.sqlite"]) {
    assertEquals(readConfig({ SLUICE_KV: text }).kv, text);
  }
  for (const text of ["foo://x", "postgres://localhost/db", "http:///x"]) {
    assertEquals(faults({ SLUICE_KV: text }), [
      `SLUICE_KV must be a path, :memory:, or an http or https URL: current value is ${JSON.stringify(text)}`,
    ]);
  }
  readConfig({ SLUICE_AUTH: "none" });
  assertEquals(faults({ SLUICE_AUTH: "tokens" }), ['SLUICE_AUTH must be none, or not set: current value is "tokens"']);
  assertEquals(faults({ SLUICE_BLOBS: "memory:" }), [
    'SLUICE_BLOBS=memory: needs SLUICE_KV=:memory: current value is "./data/kv.sqlite"',
  ]);
});
