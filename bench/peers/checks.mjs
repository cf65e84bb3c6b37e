/**
 * What the two JavaScript peers have in common: the validation of Sluice's services, limit for limit, the counts of a
 * receipt, and a store in memory. Plain JavaScript, for Node runs it too; messages are as proto-loader and protobuf-es
 * both have them.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { createHash, randomUUID } from "node:crypto";

// Limits of limits.ts, in bytes of UTF-8 where they are about text.
const MAX_REJECTIONS = 100;
const MAX_NAME_BYTES = 256;
const MAX_TAG_VALUE_BYTES = 1024;
const MAX_TAGS = 32;
const MAX_METRICS = 128;
const MAX_SERIES_BYTES = 2048;
const MAX_LOG_MESSAGE_BYTES = 32 * 1024;
const MAX_LOG_FIELDS = 64;
const MAX_LOG_FIELD_BYTES = 16 * 1024;
const MAX_FILE_NAME_BYTES = 255;
const MAX_FILE_BYTES = 16 * 1024 ** 3;
const RETENTION_MS = 30 * 86_400_000;
const MAX_FUTURE_MS = 86_400_000;
const EXTENSIONS = [".txt", ".csv", ".json", ".xml"];

const LEVELS = new Map(
  Object.entries({
    TRACE: "TRACE TRC T FINEST FINER VERBOSE V SILLY",
    DEBUG: "DEBUG DBG D FINE CONFIG",
    INFO: "INFO INF I INFORMATION INFORMATIONAL NOTICE LOG DEFAULT",
    WARN: "WARN WARNING WRN W",
    ERROR: "ERROR ERR E SEVERE FAILURE",
    FATAL: "FATAL FTL F CRITICAL CRIT C ALERT EMERGENCY EMERG PANIC DPANIC",
  }).flatMap(([level, spellings]) => spellings.split(" ").map((s) => [s, level])),
).set("", "INFO");

/** Whether a text has at most `limit` bytes in UTF-8. Encodes only what is near the limit. */
function fits(text, limit) {
  return text.length * 3 <= limit || (text.length <= limit && Buffer.byteLength(text) <= limit);
}

/** What is wrong with a point's or an entry's timestamp, if anything: [field, reason]. */
function timestampFault(timestamp, now) {
  if (timestamp > now + MAX_FUTURE_MS) return ["timestamp", `must be at most 24 hours ahead: it is ${timestamp}`];
  if (timestamp < now - RETENTION_MS) return ["timestamp", `must be within the 30 days kept: it is ${timestamp}`];
}

function pointFault({ source, metrics, tags, timestamp }, now) {
  if (source === "") return ["source", "must not be empty"];
  if (!fits(source, MAX_NAME_BYTES)) return ["source", `must have at most ${MAX_NAME_BYTES} bytes`];
  let count = 0;
  let longest = 0;
  for (const name in metrics) {
    count++;
    if (name === "") return ["metrics", "must not have an empty name"];
    if (!fits(name, MAX_NAME_BYTES)) return ["metrics", `a name must have at most ${MAX_NAME_BYTES} bytes`];
    if (!Number.isFinite(metrics[name])) return [`metrics[${name}]`, "must be a finite number"];
    longest = Math.max(longest, name.length);
  }
  if (count === 0) return ["metrics", "must have at least one value"];
  if (count > MAX_METRICS) return ["metrics", `must be at most ${MAX_METRICS}: there are ${count}`];
  count = 0;
  let length = source.length + longest;
  for (const key in tags) {
    count++;
    const value = tags[key];
    if (key === "") return ["tags", "must not have an empty key"];
    if (!fits(key, MAX_NAME_BYTES)) return ["tags", `a key must have at most ${MAX_NAME_BYTES} bytes`];
    if (!fits(value, MAX_TAG_VALUE_BYTES)) return ["tags", `a value must have at most ${MAX_TAG_VALUE_BYTES} bytes`];
    length += key.length + value.length;
  }
  if (count > MAX_TAGS) return ["tags", `must be at most ${MAX_TAGS}: there are ${count}`];
  if (length * 3 > MAX_SERIES_BYTES && seriesBytes(source, metrics, tags) > MAX_SERIES_BYTES) {
    return ["tags", `must, with source and metric, have at most ${MAX_SERIES_BYTES} bytes`];
  }
  return timestampFault(Number(timestamp), now);
}

function seriesBytes(source, metrics, tags) {
  const tagBytes = Object.entries(tags).reduce((n, [k, v]) => n + Buffer.byteLength(k) + Buffer.byteLength(v), 0);
  return Buffer.byteLength(source) + tagBytes + Math.max(...Object.keys(metrics).map((m) => Buffer.byteLength(m)));
}

function logFault(entry, now) {
  const { application, message, fields, level, timestamp } = entry;
  if (application === "") return ["application", "must not be empty"];
  if (!fits(application, MAX_NAME_BYTES)) return ["application", `must have at most ${MAX_NAME_BYTES} bytes`];
  if (!fits(message, MAX_LOG_MESSAGE_BYTES)) return ["message", `must have at most ${MAX_LOG_MESSAGE_BYTES} bytes`];
  let count = 0;
  let bytes = 0;
  for (const key in fields) {
    count++;
    if (key === "") return ["fields", "must not have an empty key"];
    if (!fits(key, MAX_NAME_BYTES)) return ["fields", `a key must have at most ${MAX_NAME_BYTES} bytes`];
    bytes += Buffer.byteLength(key) + Buffer.byteLength(fields[key]);
  }
  if (count > MAX_LOG_FIELDS) return ["fields", `must be at most ${MAX_LOG_FIELDS}: there are ${count}`];
  if (bytes > MAX_LOG_FIELD_BYTES) return ["fields", `must have at most ${MAX_LOG_FIELD_BYTES} bytes`];
  const known = LEVELS.get(level) ?? LEVELS.get(level.trim().toUpperCase());
  if (known === undefined) return ["level", `must be a level as usually written: it is ${JSON.stringify(level)}`];
  entry.level = known;
  return timestampFault(Number(timestamp), now);
}

/** The latest of each kind are kept, so that a benchmark does not run out of memory. */
class Ring {
  #items = [];
  #next = 0;
  #limit;

  constructor(limit) {
    this.#limit = limit;
  }

  put(item) {
    if (this.#items.length < this.#limit) this.#items.push(item);
    else this.#items[this.#next++ % this.#limit] = item;
  }
}

const kept = { points: new Ring(100_000), logs: new Ring(100_000), files: new Ring(8) };

/** Items of one call. */
class Items {
  #began = Date.now();
  #total = 0;
  #errors = 0;
  #rejections = [];
  #fault;
  #ring;

  constructor(fault, ring) {
    this.#fault = fault;
    this.#ring = ring;
  }

  take(item) {
    const index = this.#total++;
    const fault = this.#fault(item, this.#began);
    if (!fault) return this.#ring.put(item);
    this.#errors++;
    if (this.#rejections.length >= MAX_REJECTIONS) return;
    this.#rejections.push({ index, code: "INVALID_ARGUMENT", field: fault[0], reason: fault[1] });
  }

  /** Counts are Numbers; `int64` makes of them what the stack has for an int64. */
  counts(int64) {
    return {
      total: this.#total,
      accepted: this.#total - this.#errors,
      errors: this.#errors,
      elapsed: int64(Date.now() - this.#began),
      committed: int64(this.#total),
      rejections: this.#rejections.map((r) => ({ ...r, index: int64(r.index) })),
    };
  }
}

/** One call of CollectDataPoints. */
export class PointsCall extends Items {
  constructor() {
    super(pointFault, kept.points);
  }

  finish(int64) {
    const { total, accepted, errors, elapsed, committed, rejections } = this.counts(int64);
    return {
      totalProcessed: total,
      successfulCount: accepted,
      errorCount: errors,
      errors: rejections.map(({ index, field, reason }) => `item ${index}: ${field}: ${reason}`),
      processingTimeMs: elapsed,
      committed,
      rejections,
    };
  }
}

/** One call of CollectLogs. */
export class LogsCall extends Items {
  constructor() {
    super(logFault, kept.logs);
  }

  finish(int64) {
    const { total, accepted, errors, committed, rejections } = this.counts(int64);
    const status = errors === 0 ? "completed" : "partial";
    return { totalReceived: total, indexedCount: accepted, status, errorCount: int64(errors), committed, rejections };
  }
}

/** One call of UploadFile. Its errors are Errors, whose message is the caller's. */
export class FileCall {
  #name = "";
  #total = 0;
  #size = 0;
  #last = false;
  #sum = "";
  #hash = createHash("sha256");
  #chunks = [];

  take({ fileName, data, offset, totalSize, isLastChunk, checksum, fileChecksum }) {
    const total = Number(totalSize);
    if (this.#name === "") this.#begin(fileName);
    else if (fileName !== "" && fileName !== this.#name) throw new Error("file_name: must not change");
    else if (this.#ended) throw new Error("is_last_chunk: a chunk came after the file's last one");
    if (total < 0 || total > MAX_FILE_BYTES || (total && this.#total && total !== this.#total)) {
      throw new Error(`total_size: current value is ${total}`);
    }
    this.#total ||= total;
    if (Number(offset) !== this.#size) throw new Error(`offset: must be ${this.#size}: current value is ${offset}`);
    this.#size += data.length;
    if (this.#size > MAX_FILE_BYTES || (this.#total && this.#size > this.#total)) {
      throw new Error(`data: the file has ${this.#size} bytes or more, and total_size says ${this.#total}`);
    }
    if (checksum !== "" && createHash("sha256").update(data).digest("hex") !== checksum) {
      throw new Error(`checksum: is wrong for the chunk at offset ${offset}`);
    }
    this.#sum = fileChecksum || this.#sum;
    this.#hash.update(data);
    this.#chunks.push(data);
    this.#last ||= isLastChunk;
  }

  finish(int64) {
    if (!this.#ended) throw new Error(`the stream ended after ${this.#size} of ${this.#total} bytes`);
    const checksum = this.#hash.digest("hex");
    if (this.#sum !== "" && this.#sum !== checksum) throw new Error("file_checksum: is wrong");
    kept.files.put(this.#chunks);
    return {
      fileId: randomUUID().slice(0, 26),
      fileName: this.#name,
      totalSize: int64(this.#size),
      checksum,
      status: "completed",
      committed: int64(this.#size),
      chunkCount: int64(this.#chunks.length),
    };
  }

  #begin(name) {
    // deno-lint-ignore no-control-regex -- it is these that are looked for
    const wrong = name === "" || !fits(name, MAX_FILE_NAME_BYTES) || /[/\\\u0000-\u001f\u007f-\u009f]/.test(name);
    if (wrong) throw new Error("file_name: must be a name, not a path");
    if (!EXTENSIONS.some((e) => name.toLowerCase().endsWith(e))) throw new Error("file_name: has a wrong extension");
    this.#name = name;
  }

  get #ended() {
    return this.#last || (this.#total > 0 && this.#size === this.#total);
  }
}
