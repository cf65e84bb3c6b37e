/**
 * An instance of the service: it is started, crashes and is started again, each time as a new process with a platform of its
 * own, over what survives.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { ulid } from "ulid";
import type { Platform } from "../../store/platform.ts";
import type { SimDisk } from "./disk.ts";
import type { SimKv } from "./kv.ts";
import { MachineClock, Process } from "./process.ts";
import type { SimS3 } from "./s3.ts";
import type { World } from "./world.ts";

/** What survives a crash of an instance. */
export interface Surroundings {
  readonly kv: SimKv;
  readonly disk: SimDisk;
  readonly s3: SimS3;
}

/** Bytes of a disk that is not full. */
const DISK_BYTES = 2 ** 40;

export class Instance {
  readonly clock: MachineClock;
  #starts = 0;

  constructor(readonly world: World, readonly name: string, private readonly around: Surroundings) {
    this.clock = new MachineClock(world);
  }

  /** Starts a new process; returns it with all that its stores ask of the machine. */
  start(): { process: Process; platform: Platform } {
    const process = new Process(this.world, `${this.name}.${++this.#starts}`, this.clock);
    this.world.note(process.name, "started");
    return { process, platform: createPlatform(process, this.around) };
  }
}

function createPlatform(process: Process, { kv, disk, s3 }: Surroundings): Platform {
  const random = process.world.random.fork();
  return {
    clock: process,
    random: () => random.next(),
    newId: () => ulid(process.now(), () => random.next()),
    digest(data) {
      // Whoever gave the bytes may change them.
      const digest = createHash("sha256").update(data).digest();
      return new Promise((resolve) => process.after(random.between(0, 2), () => resolve(new Uint8Array(digest))));
    },
    openKv: () => Promise.resolve(kv.open(process)),
    disk: disk.open(process),
    freeBytes: () => Promise.resolve(disk.isFull ? 0 : DISK_BYTES),
    fetch: s3.open(process),
  };
}
