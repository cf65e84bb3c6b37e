/**
 * Every number that bounds what the client holds, waits for or tries, with its reason.
 *
 * @module
 */
const KIB = 1024;
const MIB = 1024 * KIB;
const SECOND = 1000;
const MINUTE = 60 * SECOND;

/**
 * Bytes of the largest window of points or logs. The client holds one on its way and the one being filled, so this
 * bounds its memory; and each window costs a round trip and a commit, which should be little beside its bytes.
 */
export const WINDOW_BYTES = 8 * MIB;

/**
 * Bytes of the smallest window. After a failure windows get smaller, so that one gets through between two cuts of a
 * bad network; below this, the cost of a call is larger than that of its bytes.
 */
export const MIN_WINDOW_BYTES = 64 * KIB;

/**
 * Items of the largest window: a receipt that does not come makes so many uncertain, and the server looks at each of
 * them again when they are sent again. It is reached by items below 100 bytes only.
 */
export const WINDOW_ITEMS = 100_000;

/**
 * Bytes of an item's message: a server takes no more, and what it refuses for its size ends the stream. So it must not
 * get into one, nor into an offline buffer, where all that comes after it would wait for it.
 */
export const MAX_ITEM_BYTES = 4 * MIB;

/**
 * Bytes that a long-lived writer takes from a caller who does not wait when he is told to; then it refuses. Several
 * parts of a program may write at once, each of them one item more than there is room for.
 */
export const MAX_UNAWAITED_BYTES = 64 * MIB;

/** How long a streamed window stays open for a slow producer, ms: so often its items are known to be durable. */
export const STREAMED_WINDOW_MS = 5 * SECOND;

/** How long items wait for more before a window is sent whole, ms: so late do others see them. */
export const WHOLE_WINDOW_MS = SECOND;

/**
 * Bytes of a file in one streamed call. Each call begins a piece of the stored file and costs some 30 ms of syncing, so
 * it should be large; what a cut costs is little, for the server commits once a second. Of a source that can be read
 * once only, the client keeps so much of it until that is committed.
 */
export const FILE_WINDOW_BYTES = 64 * MIB;

/**
 * How long a streamed window of a file stays open, ms, so that a receipt comes now and then however slow the network is.
 * It is longer than that of points, for the server commits what has come of it once a second.
 */
export const FILE_WINDOW_MS = 20 * SECOND;

/**
 * How long a receipt may take once all of a window has been handed over, and how long the transport may take nothing of one
 * that is streamed, ms; and how long nothing of an answer that comes in parts may come. As long as bytes move, a call may
 * last.
 */
export const CALL_TIMEOUT_MS = 30 * SECOND;

/**
 * Bytes of the answer to a question: a page of a thousand log entries with long messages and many fields takes tens of MiB.
 * What sends more is no Sluice server, and must not fill memory.
 */
export const MAX_UNARY_BYTES = 256 * MIB;

/**
 * The longest wait that a server or a proxy may ask for, ms, of those who never give up: what else it says is a mistake. For
 * others it ends where their patience does.
 */
export const MAX_RETRY_AFTER_MS = 3600 * SECOND;

/** How long a question about a stream, or an endpoint's health, may take, ms. */
export const ASK_TIMEOUT_MS = 5 * SECOND;

/** The same, if the stream is given up and nothing but the number that its error names depends on the answer, ms. */
export const LAST_ASK_MS = 2 * SECOND;

/** The first wait before a retry is up to so long, ms; the next ones up to twice as long as the one before. */
export const BACKOFF_MS = 100;

/** The longest wait before a retry, ms, unless the server asks for more. */
export const MAX_BACKOFF_MS = 10 * SECOND;

/** How long nothing of a stream may be committed, from the first of failures in a row, before the client gives it up, ms. */
export const GIVE_UP_MS = 5 * MINUTE;

/** The same, as long as no endpoint has ever answered this client: an address that is wrong should show soon, ms. */
export const FIRST_CONTACT_MS = 10 * SECOND;

/**
 * Bytes of a body that a platform's fetch may take before it is connected (Deno: two chunks). Whoever has taken more is an
 * endpoint that can be reached, though it has not answered yet.
 */
export const UNCONNECTED_BYTES = 256 * KIB;

/** Retries that may happen at once, of all streams of a client together. */
export const RETRY_BURST = 20;

/** Retries a second in the long run: a server that is in trouble is not to be kept there by those it has failed. */
export const RETRIES_PER_SECOND = 4;

/** Failures in a row after which an endpoint is ejected. Of one, the network may be to blame. */
export const BREAKER_FAILURES = 5;

/** How long an endpoint stays ejected before it is probed, ms; twice as long after each probe that fails. */
export const EJECTION_MS = SECOND;

/** The longest time between two probes of an ejected endpoint, ms. */
export const MAX_EJECTION_MS = 30 * SECOND;

/** Tries for a chunk of a file that arrives damaged: more often than this it is no accident of the network. */
export const DAMAGED_TRIES = 3;

/** Bytes of a chunk of a file by default: two digests and a message cost a few percent of it. */
export const CHUNK_BYTES = 256 * KIB;

/** Bytes of a chunk at the most: a server takes messages of 4 MiB, of which the chunk's other fields need a little. */
export const MAX_CHUNK_BYTES = 4 * MIB - 4 * KIB;

/** Files that are uploaded at once by default. */
export const MAX_CONCURRENCY = 4;

/**
 * How long the client remembers an upload that broke off, ms. The server removes one that stands still for a day; what
 * it still knows, GetStream tells.
 */
export const UPLOAD_MEMORY_MS = 7 * 24 * 60 * MINUTE;

/** Uploads that broke off and are remembered, the newest ones: more than that nobody goes on with, and each is a file. */
export const UPLOADS_REMEMBERED = 1000;

/** Uploads from one time to the next that a client drops what is too old or too much, which means to read all of it. */
export const UPLOADS_COLLECTED_EVERY = 100;

/** Bytes of an offline buffer by default: a million points or more, and no more than a disk or a browser can spare. */
export const BUFFER_BYTES = 256 * MIB;

/**
 * Bytes of an offline buffer's file from which on another is begun: a file is removed as a whole, and the last one is
 * read as a whole when the buffer is opened.
 */
export const BUFFER_SEGMENT_BYTES = 4 * MIB;

/** Bytes that may wait in memory to be saved in an offline buffer: what comes while a disk syncs. Then writers wait. */
export const BUFFER_UNSAVED_BYTES = 4 * MIB;

/** Bytes that are read from an offline buffer at once. */
export const BUFFER_READ_BYTES = 256 * KIB;

/** How long the end of a writer with an offline buffer waits for what was written last to be committed, ms. */
export const SUSPEND_MS = 5 * SECOND;

/** Bytes that may wait for the worker that makes a file's checksum in a browser: so that neither waits for the other. */
export const HASH_QUEUE_BYTES = 4 * MIB;
