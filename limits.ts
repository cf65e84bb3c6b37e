/**
 * Every numeric limit in one place: its value, its unit, and what it protects against. What an operator may need to
 * move is a default here and an environment variable in config.ts.
 *
 * @module
 */

export const KIB = 1024;
export const MIB = 1024 * KIB;
export const GIB = 1024 * MIB;
export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

// ---- connections (http1/limits.ts and http2/limits.ts have those of each protocol) ----

/** Connections that are open at once. A process has a limit of descriptors; beyond it, accepting fails for everyone. */
export const MAX_CONNECTIONS = 20_000;
/**
 * Workers that an operator may ask for. They share the write lock of a local store, each trying again until it has it: of 8
 * that commit without pause, one waits up to 0.2 s; of 16, more than KV_TIMEOUT_MS once cores are short.
 */
export const MAX_WORKERS = 8;
/** How long a new connection may take until its first bytes, or its TLS handshake, say what it speaks, ms. */
export const FIRST_BYTES_MS = 10 * SECOND;
/** How long to wait when the system has no socket to give, ms. */
export const ACCEPT_RETRY_MS = 50;
/**
 * How long a body may bring next to nothing before its connection is refused, ms. Long, for a stream of points or log
 * entries may well pause; but not endless, or clients that never finish would hold connections for ever.
 */
export const QUIET_BODY_MS = 10 * MINUTE;
/** Bytes of request bodies held for handlers, over all connections. Many uploads to a slow disk must not fill memory. */
export const MEMORY_BUDGET_BYTES = 256 * MIB;

// ---- the wire ----

/** Bytes of one message, compressed or not: grpc-go's default. Stops a length prefix or a gzip bomb from filling memory. */
export const MAX_MESSAGE_BYTES = 4 * MIB;
/**
 * Bytes of messages that have arrived in part, of all calls together. A client that sends most of a message and
 * then nothing holds them for as long as its body may be quiet.
 */
export const MAX_CARRIED_BYTES = 256 * MIB;
/** Messages handed to a service at once. Bounds what one call holds decoded while the service is busy. */
export const MAX_BATCH_ITEMS = 1000;
/** Bytes of messages handed to a service at once, for the same reason; one message may exceed it. */
export const MAX_BATCH_BYTES = 256 * KIB;
/**
 * Shapes (decode/shape_cache.ts) that are held, of points and of log entries each; a power of two. Beyond it the older ones
 * go, and what is sent in so many shapes is decoded more slowly.
 */
export const MAX_SHAPES = 16_384;
/** Bytes of a message's identity that has its shape held: a hundred metrics of one source. */
export const MAX_SHAPE_BYTES = 4 * KIB;
/** Bytes of memory that all held shapes take, about: whoever makes up ever new names must not fill it. */
export const MAX_SHAPES_BYTES = 16 * MIB;
/** Characters of a caller's text that an error repeats. Over gRPC they travel in a header. */
export const MAX_QUOTED_CHARACTERS = 80;
/** The longest deadline a client may ask for, ms. A longer one would pin a call's buffers for as long as it likes. */
export const MAX_DEADLINE_MS = DAY;
/** Rejections named in a receipt; counts go on beyond. Keeps a receipt of a stream of bad items small. */
export const MAX_REJECTIONS = 100;
/** Bytes of a request's body that are read and dropped after its answer is known, so that the client gets to read it. */
export const MAX_DRAIN_BYTES = 4 * MIB;
/** How long such a drain may take, ms. A client that trickles must not hold a connection. */
export const MAX_DRAIN_MS = 2 * SECOND;

/** How often a health watch looks for a change, ms. */
export const HEALTH_WATCH_MS = 1 * SECOND;

// ---- streams ----

/** Characters of a stream id before its ULID. It is part of a key. */
export const MAX_STREAM_NAME = 100;
/** How far ahead of the server's clock a stream may have begun, ms. Records would outlive it by as much. */
export const MAX_STREAM_AHEAD_MS = 1 * HOUR;
/** Default days that the record of a stream lives after its last commit. Sent again later, it is refused. */
export const STREAM_RECORD_DAYS = 7;
/** Default number of records of streams that a tenant may have. Each takes some hundred bytes for days. */
export const MAX_STREAMS = 1_000_000;
/** How long a call on a stream that breaks off waits for what it has written to be durable, ms, before it says how far that is. */
export const BREAK_FLUSH_MS = 500;
/** Streams in one answer to a watch. */
export const MAX_WATCHED_STREAMS = 1000;
/** Default and least time between two answers to a watch, ms: each reads the records of what it shows. */
export const WATCH_STREAMS_MS = 1 * SECOND;
export const MIN_WATCH_STREAMS_MS = 100;
/** A watch shows what has moved in so many ms: an unfinished stream may lie there for days. */
export const WATCHED_MS = 1 * MINUTE;
/** How long whoever goes on with a stream, or asks for it, waits for a call on it that is ending, ms. */
export const ENDING_MS = 2 * SECOND;
/** Bytes of the rejections that are kept with a stream: a few KV values must not fill a commit. */
export const MAX_REJECTIONS_BYTES = 16 * KIB;

// ---- files ----

/** Default bytes of one file. A full disk is the alternative. */
export const MAX_FILE_BYTES = 16 * GIB;
/** Bytes of a file name in UTF-8: what file systems allow. */
export const MAX_FILE_NAME_BYTES = 255;
/** Bytes of a content type: more is no media type. */
export const MAX_CONTENT_TYPE_BYTES = 127;
/** Extensions that are accepted by default. */
export const ALLOWED_EXTENSIONS: readonly string[] = [".txt", ".csv", ".json", ".xml"];
/** Bytes of a file that one checksum covers at rest: the least that a read has to verify. */
export const BLOCK_BYTES = 1 * MIB;
/** Buffers of blocks that are kept for uploads to come: two each for those that are under way at once, mostly. */
export const MAX_SPARE_BLOCKS = 16;
/** Block checksums in one KV value: 4 KB, far below the 64 KiB that a value may have. */
export const BLOCKS_PER_VALUE = 1000;
/** How long the running hash of an upload that broke off is kept for its next call, ms. */
export const KEPT_HASH_MS = 10 * MINUTE;
/** Running hashes that are kept at once. Without one, the bytes are read again. */
export const MAX_KEPT_HASHES = 1000;
/** Files that are read again at once for their hash: each has some MiB in memory, and two keep a disk busy. */
export const REHASH_TOGETHER = 2;
/** Bytes that are read of one such file before it is the next one's turn. */
export const REHASH_SLICE_BYTES = 16 * MIB;
/** How long the thread that reads them stays when it has nothing to do, ms. */
export const REHASH_IDLE_MS = 10 * SECOND;
/** How often an upload's progress is committed at the most, ms. */
export const UPLOAD_COMMIT_MS = 1 * SECOND;
/** Default time that an upload may stand still before the sweep removes it, ms. */
export const UPLOAD_EXPIRY_MS = DAY;
/** How many bytes at a file's beginning are looked at to see whether its content contradicts its name. */
export const SNIFF_BYTES = 512;
/** Bytes of data in one chunk of a download. */
export const DOWNLOAD_CHUNK_BYTES = 256 * KIB;

// ---- points ----

/** Bytes of a source, a metric's name or a tag's key, in UTF-8. A name is no place for data. */
export const MAX_NAME_BYTES = 256;
/** Bytes of a tag's value, in UTF-8. */
export const MAX_TAG_VALUE_BYTES = 1 * KIB;
/** Tags of a point. */
export const MAX_TAGS = 32;
/** Metrics of a point. Each is a series, and one commit (GROUP_BYTES) must be able to register those of a point. */
export const MAX_METRICS = 128;
/** Bytes of source, metric and tags together: each series stands in a segment's dictionary and in the index of series. */
export const MAX_SERIES_BYTES = 2 * KIB;
/** Default number of series of a tenant. Beyond it, memory and the index grow without end (a tag that holds an id). */
export const MAX_SERIES = 100_000;
/** How long a new series keeps its room before it is committed, ms: points that were refused after all must not use it up. */
export const SERIES_RESERVATION_MS = 1 * MINUTE;
/** How far ahead of the server's clock a timestamp may be, ms. Further on, it is taken for a wrong unit or clock. */
export const MAX_FUTURE_MS = DAY;

// ---- logs ----

/** Bytes of a log message in UTF-8: an entry that does not compress must still fit a segment. */
export const MAX_LOG_MESSAGE_BYTES = 32 * KIB;
/** Fields of a log entry. */
export const MAX_LOG_FIELDS = 64;
/** Bytes of all keys and values of an entry's fields, for the same reason. */
export const MAX_LOG_FIELD_BYTES = 16 * KIB;
/** Bytes of a bloom filter: the index value of a segment stays small enough to read thousands of them. */
export const MAX_BLOOM_BYTES = 4 * KIB;
/** Bytes of one token that the filter knows; of a longer word it knows the beginning. */
export const MAX_TOKEN_BYTES = 64;

// ---- segments and commits ----

/** Items after which buffered ones are packed and committed. */
export const FLUSH_ITEMS = 1000;
/** Time after which buffered items are packed and committed, ms. An entry is searchable within 6 s. */
export const FLUSH_MS = 5 * SECOND;
/** Bytes of a packed segment: it is one KV value, which may have 64 KiB. */
export const MAX_SEGMENT_BYTES = 56 * KIB;
/** Bytes of a segment once unpacked. What a damaged or hostile value can claim to be. */
export const MAX_SEGMENT_RAW_BYTES = 4 * MIB;
/**
 * Raw bytes (UTF-8) of items that one commit takes. At the worst a segment does not compress, its index repeats all names,
 * and its bloom filter takes 10 bits for every two bytes: together 2.6 times as much, under KV's limit of an atomic.
 */
export const GROUP_BYTES = 256 * KIB;
/** New series that one commit registers: each is a mutation, and all keys together may have 80 KiB. */
export const GROUP_NEW_SERIES = 400;
/** Hours that the items of one commit may lie in: each is a segment, hence one or two mutations. */
export const GROUP_HOURS = 150;
/** Streams whose items one commit takes: each is a check (KV_MAX_CHECKS) and up to four mutations. */
export const GROUP_STREAMS = 40;
/** Raw bytes of items that wait for a commit, of all calls together. Beyond it, calls are not read from. */
export const MAX_BUFFERED_BYTES = 8 * MIB;

// ---- KV (what Deno KV takes, with a margin) ----

/** Checks in one atomic operation, of which KV takes 100. */
export const KV_MAX_CHECKS = 50;
/** Keys in one read. */
export const KV_MAX_READS = 10;
/** Mutations in one atomic operation. */
export const KV_MAX_MUTATIONS = 1000;
/** Bytes of keys and values in one atomic operation. */
export const KV_MAX_ATOMIC_BYTES = 800 * KIB;
/** Bytes of the keys in one atomic operation. */
export const KV_MAX_KEY_BYTES = 80 * KIB;
/** Bytes of a blob in one KV value. */
export const KV_PIECE_BYTES = 60 * KIB;
/** How long a KV call may take, ms. A remote KV waits without end for a dead server. */
export const KV_TIMEOUT_MS = 2 * SECOND;
/**
 * How long to wait at the most before a commit that found a local KV locked is tried again, ms. It is any time up to that,
 * for workers that wait for the same lock must not come back in step: one of them would lose again and again.
 */
export const KV_LOCK_RETRY_MS = 10;
/** KV entries read, or deleted, at once: with 64 KiB each, some MiB, and a transaction that holds up no commit. */
export const KV_LIST_BATCH = 100;

// ---- S3 ----

/**
 * Bytes of one object. Each is a request that costs money and a round trip, so not less; and a writer holds two of them in
 * memory, and a call that breaks off sends one again, so not more.
 */
export const S3_PART_BYTES = 8 * MIB;
/** Bytes that the writers of a process hold together. Beyond it each append becomes an object: dearer, but it fits memory. */
export const S3_BUFFER_BYTES = 128 * MIB;
/** Bytes that are being uploaded at once, of all writers: hashing and sending make three more copies of each. */
export const S3_UPLOAD_BYTES = 64 * MIB;
/** How long one operation on a bucket may take with all its attempts, ms. A part goes through at 5 Mbit/s. */
export const S3_TIMEOUT_MS = 15 * SECOND;
/** How long one attempt may wait for an answer, or for more of it, ms: a connection that is dead leaves time for another. */
export const S3_ATTEMPT_MS = 5 * SECOND;
/** The longest pause before the first repetition, ms; it doubles with each, up to S3_MAX_RETRY_MS, and is any time up to that. */
export const S3_RETRY_MS = 100;
/** The longest pause between two attempts, ms: a bucket that comes back is noticed by then. */
export const S3_MAX_RETRY_MS = 2 * SECOND;
/** Objects of a piece that are removed at once: a large blob has thousands, and a server may have other things to do. */
export const S3_CONCURRENT_DELETES = 8;
/** Parts of pieces that are remembered, so that a read of what was read before needs no listing: some 2 MiB. */
export const S3_LISTED_PARTS = 20_000;

// ---- queries ----

/**
 * Searches, counts of logs and queries of metrics that are answered at once, by one worker. Each may take ten seconds of its
 * core, and hold all of an answer, some 200 MiB at the worst. A page full of charts asks some twenty at a time.
 */
export const MAX_QUERIES = 32;
/** Rows on a page. */
export const MAX_PAGE_SIZE = 1000;
/** Rows on a page when the request does not say. */
export const DEFAULT_PAGE_SIZE = 100;
/** Series in the answer to a query of metrics. */
export const MAX_QUERY_SERIES = 1000;
/** Buckets in the answer to a query of metrics, of all series together. */
export const MAX_QUERY_BUCKETS = 100_000;
/**
 * Bytes of the sketches of a query of metrics, of all buckets together: 100,000 buckets of 60 samples, or 6,000 that have
 * samples in every bin of eight decades.
 */
export const MAX_QUERY_SKETCH_BYTES = 256 * MIB;
/** How long a query of metrics may keep others on its thread waiting, ms, give or take a segment. */
export const QUERY_TURN_MS = 10;
/** Quantiles in a query of metrics. */
export const MAX_QUERY_QUANTILES = 16;
/** Series, and buckets, of a query whose answer comes in parts: some 200 MiB. */
export const MAX_STREAMED_SERIES = 100_000;
export const MAX_STREAMED_BUCKETS = 1_000_000;
/** Buckets of one part. */
export const METRICS_PART_BUCKETS = 5000;
/** Names by which a query groups series. */
export const MAX_GROUP_BY = 8;
/** Samples that a query reads, and entries that a search does: some ten seconds of a core. */
export const MAX_READ_SAMPLES = 500_000_000;
export const MAX_READ_ENTRIES = 3_000_000;
/** Segments that a query of metrics reads, whether they have what it asks for or not: some twenty seconds of a core. */
export const MAX_READ_SEGMENTS = 100_000;
/** Samples that a query for increases takes: they are put in order before, at 16 bytes each. */
export const MAX_INCREASE_SAMPLES = 4_000_000;
/** Words, and fields, in a search: each is looked for in every entry that the others leave. */
export const MAX_SEARCH_TERMS = 32;
/** Characters of a search's query. */
export const MAX_SEARCH_QUERY_LENGTH = 4096;
/** How deep a search's conditions may be nested: each level is a call of the functions that read and judge them. */
export const MAX_SEARCH_DEPTH = 20;
/** What a question about logs may count by. */
export const MAX_FACETS = 8;
/** Values of a facet in an answer. */
export const MAX_FACET_VALUES = 100;
/** Values of a facet in an answer when the request does not say. */
export const DEFAULT_FACET_VALUES = 10;
/** Buckets in an answer about logs, of all facets and values together, and while it is made. */
export const MAX_FACET_BUCKETS = 100_000;
/** Calls that follow logs at once, on one instance: each has a queue. */
export const MAX_TAILS = 200;
/** What waits for one of them, in bytes; what does not fit is missed, and said to be. */
export const TAIL_QUEUE_BYTES = 4 * MIB;
/** Entries in one message to them. */
export const TAIL_MESSAGE_ENTRIES = 500;
/** Time between two looks at the journal of commits, ms: what other instances have committed is seen so late at the most. */
export const TAIL_POLL_MS = 500;
/** Rest after a look before what was committed here makes for the next, ms: else a busy tenant's looks would never end. */
export const TAIL_REST_MS = 100;
/**
 * Time between two looks at all of the journal, ms; others read its end. So late comes, once, what an instance has committed
 * whose clock has got behind: a look at all takes some 10 us an entry, of which there are two minutes' worth.
 */
export const TAIL_SWEEP_MS = 5 * SECOND;
/** How much further back a look begins than where the last ones found something, ms: commits may be on their way so long. */
export const TAIL_MARGIN_MS = 2 * SECOND;
/** How long after a look at all of it the next may come, ms. Later, the journal may have lost what nobody has seen. */
export const TAIL_LATE_MS = 30 * SECOND;
/** How long an entry of the journal is kept at the least, ms: twice what followers may be late. */
export const LOG_JOURNAL_MS = 60 * SECOND;
/**
 * When it expires by the clock of the instance that wrote it, ms, where no instance keeps house for long enough to tell that
 * it is LOG_JOURNAL_MS old. An instance whose clock is off by more has its entries refused.
 */
export const LOG_JOURNAL_EXPIRY_MS = 1 * DAY;
/** Places that are shown in one entry: one may be full of what is sought, and a page has MAX_PAGE_SIZE entries. */
export const MAX_HIGHLIGHTS = 100;
/** Relative error of a quantile. */
export const SKETCH_ERROR = 0.01;
/** Bins of a sketch. Beyond it the lowest are merged, so that the upper quantiles stay exact to SKETCH_ERROR. */
export const MAX_SKETCH_BINS = 4096;

// ---- keeping ----

/** Default days that points and logs are kept. */
export const RETENTION_DAYS = 30;
/** Days that an operator may set: later timestamps than a JavaScript date can hold are nobody's retention. */
export const MAX_RETENTION_DAYS = 36_500;
/** Default seconds between two rounds of housekeeping. */
export const HOUSEKEEPING_SECONDS = 60;
/** How long one step of housekeeping may take, ms, and the rest after it: commits wait for it. */
export const HOUSEKEEPING_STEP_MS = 20;
/**
 * Pages (of KV_LIST_BATCH entries) that one round looks at of what is too much to be looked at in each: claims of files,
 * pieces, records of streams. A million take 50 rounds, and a round some seconds.
 */
export const HOUSEKEEPING_PAGES = 200;
/**
 * How long a lease must stand unchanged before another takes it, ms; its holder renews it three times as often. Longer than
 * a slow KV (KV_TIMEOUT_MS) keeps a holder from renewing it, and short enough that the work of a dead one is soon taken up.
 */
export const LEASE_MS = 15 * SECOND;
/**
 * Segments of an hour that is not over from which on they become a run: a question over the last hour opens so many. Large
 * ones do at COMPACT_BYTES. Those of an hour that is over do at COMPACT_FEW: fewer wait for the end of their day, for a blob
 * costs more than they do.
 */
export const COMPACT_SEGMENTS = 256;
export const COMPACT_FEW = 8;
/** Segments that one run may take the place of: each is up to two deletions in an atomic of KV_MAX_MUTATIONS. */
export const COMPACT_MAX_SEGMENTS = 450;
/** Bytes of segments that are unpacked at once to make a run: of logs some 50 times as many in memory. */
export const COMPACT_BYTES = 1 * MIB;
/** How old a segment must be, ms, before it may become part of a run: followers of logs have read it by then. */
export const COMPACT_AGE_MS = 3 * MINUTE;
/** Runs of a day that are merged at once: each has a segment of its own in memory, and the few of a day's form a part. */
export const COMPACT_MAX_RUNS = 64;
/**
 * Bytes of a run of a day that is not over from which on it is no longer merged until then. Of smaller ones there are fewer
 * than COMPACT_MAX_RUNS, for a question reads each; larger ones are written again once.
 */
export const COMPACT_SMALL_BYTES = 4 * MIB;
/**
 * How much of a run that is to be written again must come to it, as a part of it: what comes late to a day is a little each
 * minute, for which all of the day is not to be written, and kept for RUN_KEPT_MS, each time.
 */
export const COMPACT_SHARE = 1 / 4;
/** How long one round of housekeeping compacts, ms: then what has expired has its turn again. */
export const COMPACT_ROUND_MS = 1 * MINUTE;
/**
 * How long a run or a segment that was found damaged is left out of merges, ms: each would read and write up to the damage,
 * every round. Then it is tried again, for somebody may have brought it back.
 */
export const KNOWN_DAMAGE_MS = 1 * DAY;
/** Of how many that is remembered: some MiB, if a whole bucket is lost. Others are tried again before. */
export const MAX_KNOWN_DAMAGE = 10_000;
/** Default hours after its end that a day is made one run: late items mostly are there by then. */
export const COLD_HOURS = 6;
/** Samples of a run's segment: what a question for one series reads and inflates of a day. */
export const RUN_SEGMENT_SAMPLES = 16_384;
/**
 * Samples an hour of a series, on average, from which on the run of a day has rollups of hours too: then they are some ninth
 * of it. A sample a minute is enough.
 */
export const RUN_HOUR_SAMPLES = 48;
/** Hours of series in one segment of rollups; a last series may be over it. */
export const RUN_SEGMENT_HOURS = 2048;
/** Bytes of rollups that wait for the decision whether there will be any. */
export const RUN_HOURS_BYTES = 4 * MIB;
/** Entries of a run's segment, and characters of their texts: what a question opens for one hit. */
export const RUN_SEGMENT_ENTRIES = 4096;
export const RUN_SEGMENT_CHARS = 1 * MIB;
/**
 * Entries of a day's run that are sorted by application before they are cut to segments, and characters of their texts. A
 * question about one application opens about one segment of each such part, one about the newest entries all of one part.
 */
export const RUN_PART_ENTRIES = 32_768;
export const RUN_PART_CHARS = 8 * MIB;
/** Bytes of the filter of such a segment: 10 bits a word for some 13,000 words. */
export const RUN_BLOOM_BYTES = 16 * KIB;
/** Bytes of a run that are written before they are synced. */
export const RUN_SYNC_BYTES = 4 * MIB;
/** Bytes of a run that are read at once. */
export const RUN_READ_BYTES = 1 * MIB;
/**
 * Bytes of footers of runs that are merged, and so about of their footer, which is made and read in one piece: about four
 * million log entries. Of more, a day has several runs.
 */
export const RUN_FOOTER_BYTES = 16 * MIB;
/** Bytes of footers of runs that are kept in memory: those of a month of ten million entries. */
export const RUN_FOOTER_CACHE_BYTES = 64 * MIB;
/** How long the bytes of a run stay that another one took the place of, ms: a backup, or a question, may take so long. */
export const RUN_KEPT_MS = 1 * HOUR;
/** How often a question reads again what it has read because segments were moved meanwhile. */
export const MAX_READ_TRIES = 20;
/** Segments that are looked for, or read, before it is asked whether any has moved; of an hour's logs, held at once. */
export const READ_GROUP_SEGMENTS = 64;

/** Deletions of points, and of logs, that may be under way: every answer takes each into account. */
export const MAX_DELETIONS = 100;
/** How old what an instance knows of deletions may be when it notes which series there are, ms. */
export const DELETIONS_AGE_MS = 1 * SECOND;
/** How long a deletion that is done is remembered, ms. */
export const DELETED_MS = 365 * DAY;

/** Default bytes of disk that stay free: writes stop before, so that deleting always has room. */
export const MIN_FREE_BYTES = 256 * MIB;
/** How old the known figure of free space may be, ms. */
export const FREE_SPACE_AGE_MS = 1 * SECOND;
/** How long a browser may remember that an origin is allowed, s: Chromium caps it at two hours, Firefox at a day. */
export const CORS_MAX_AGE_SECONDS = 7200;
/** How long stopping may take, ms: supervisors kill what takes longer than they think it should. */
export const SHUTDOWN_MS = 4 * SECOND;
/** How long calls that are open may go on once the server is told to stop, ms. */
export const SHUTDOWN_GRACE_MS = 1 * SECOND;
