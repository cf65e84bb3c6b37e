import { assert, assertEquals, assertRejects } from "@std/assert";
import { MAX_BATCH_BYTES, MAX_BATCH_ITEMS } from "../../limits.ts";
import { inBatches } from "../../rpc/batches.ts";

const none = () => 0;
const never = new AbortController().signal;

/** Waits until nothing more can happen without the test. */
async function settle(): Promise<void> {
  for (let i = 0; i < 10; i++) await new Promise((resolve) => setTimeout(resolve, 0));
}

async function* burst(count: number, onTaken: (i: number) => void = () => {}) {
  for (let i = 0; i < count; i++) {
    onTaken(i);
    yield i;
  }
}

/** Messages that the test hands out. */
function channel<T>() {
  let controller!: ReadableStreamDefaultController<T>;
  const stream = new ReadableStream<T>({
    start(c) {
      controller = c;
    },
  });
  return { messages: stream, send: (message: T) => controller.enqueue(message), end: () => controller.close() };
}

Deno.test("inBatches() makes one batch of a burst", async () => {
  assertEquals(await Array.fromAsync(inBatches(burst(500), none, never)), [Array.from({ length: 500 }, (_, i) => i)]);
});

Deno.test("inBatches() keeps the order and every message of a long burst", async () => {
  const batches = await Array.fromAsync(inBatches(burst(10 * MAX_BATCH_ITEMS + 7), none, never));
  assertEquals(batches.flat(), Array.from({ length: 10 * MAX_BATCH_ITEMS + 7 }, (_, i) => i));
  assert(batches.every((batch) => batch.length > 0 && batch.length <= MAX_BATCH_ITEMS));
});

Deno.test("inBatches() has no batch for no message", async () => {
  assertEquals(await Array.fromAsync(inBatches(burst(0), none, never)), []);
});

Deno.test("inBatches() does not keep a lone message waiting for another", async () => {
  const { messages, send, end } = channel<string>();
  const batches = inBatches(messages, none, never);
  for (const message of ["a", "b"]) {
    const next = batches.next();
    send(message);
    assertEquals((await next).value, [message]);
  }
  const last = batches.next();
  end();
  assertEquals((await last).done, true);
});

Deno.test("inBatches() yields what came while the consumer was busy as one batch", async () => {
  const { messages, send, end } = channel<number>();
  const batches = inBatches(messages, none, never);
  send(1);
  assertEquals((await batches.next()).value, [1]);
  for (const n of [2, 3, 4]) {
    send(n);
    await settle();
  }
  assertEquals((await batches.next()).value, [2, 3, 4]);
  end();
  assertEquals((await batches.next()).done, true);
});

Deno.test("inBatches() reads at most a batch ahead of a consumer that is busy", async () => {
  let read = 0;
  const batches = inBatches(burst(10 * MAX_BATCH_ITEMS, () => read++), none, never);
  const first = await batches.next();
  await settle();
  assertEquals(first.value?.length, MAX_BATCH_ITEMS);
  assert(read <= 2 * MAX_BATCH_ITEMS + 1, `${read} were read`);
  await batches.return(undefined);
});

Deno.test("inBatches() bounds a batch by bytes, but for a single message that is larger", async () => {
  const quarter = MAX_BATCH_BYTES / 4;
  async function* sizes() {
    for (const size of [quarter, quarter, quarter, quarter, quarter, 5 * MAX_BATCH_BYTES, quarter]) yield size;
  }
  const batches = await Array.fromAsync(inBatches(sizes(), (size) => size, never));
  assertEquals(batches, [Array(4).fill(quarter), [quarter, 5 * MAX_BATCH_BYTES], [quarter]]);
});

Deno.test("inBatches() throws what the messages throw, after what came before it", async () => {
  async function* failing() {
    yield 1;
    yield 2;
    throw new RangeError("broken");
  }
  const batches = inBatches(failing(), none, never);
  assertEquals((await batches.next()).value, [1, 2]);
  await assertRejects(() => batches.next(), RangeError, "broken");
  const broken = new ReadableStream<number>({ pull: () => Promise.reject(new RangeError("at once")) });
  await assertRejects(() => inBatches(broken, none, never).next(), RangeError, "at once");
});

Deno.test("inBatches() stops reading when its consumer stops", async () => {
  let read = 0;
  let closed = false;
  async function* endless() {
    try {
      for (;;) yield read++;
    } finally {
      closed = true;
    }
  }
  for await (const batch of inBatches(endless(), none, never)) {
    assert(batch.length > 0);
    break;
  }
  await settle();
  const before = read;
  await settle();
  assertEquals([read, closed], [before, true]);
});

Deno.test("inBatches() throws the signal's reason after what came before, while it waits for more", async () => {
  const { messages, send } = channel<number>();
  const aborter = new AbortController();
  const batches = inBatches(messages, none, aborter.signal);
  send(1);
  assertEquals((await batches.next()).value, [1]);
  const next = batches.next();
  await settle();
  aborter.abort(new RangeError("too late"));
  await assertRejects(() => next, RangeError, "too late");
});

Deno.test("inBatches() throws at once if the signal has aborted", async () => {
  const { messages } = channel<number>();
  const batches = inBatches(messages, none, AbortSignal.abort(new RangeError("too late")));
  await assertRejects(() => batches.next(), RangeError, "too late");
});
