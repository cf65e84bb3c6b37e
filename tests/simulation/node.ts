/**
 * A node of the cluster: an instance with the stores and services of the project on it, which keeps house, and is started
 * again whenever it has crashed.
 *
 * @module
 */
import { createDataCollectionService, type DataCollectionService } from "../../services/data_collection.ts";
import { createFileUploadService, type FileUploadService } from "../../services/file_upload.ts";
import { createStreamService, type StreamService } from "../../services/streams.ts";
import { LeaseLostError } from "../../store/kv/lease.ts";
import { openStores, type Stores, type StoresConfig } from "../../store/open.ts";
import type { Platform } from "../../store/platform.ts";
import { ConnectError } from "@connectrpc/connect";
import { Instance, type Surroundings } from "./instance.ts";
import { LOG_RULES } from "./items.ts";
import type { Process } from "./process.ts";
import type { World } from "./world.ts";

/** What a node has open while it runs. */
export interface Open {
  readonly process: Process;
  readonly stores: Stores;
  readonly collection: DataCollectionService;
  readonly files: FileUploadService;
  readonly streams: StreamService;
}

/** What stands between our code and the machine, or the services and the stores. */
export interface Wrappers {
  platform?(platform: Platform): Platform;
  stores?(stores: Stores): Stores;
}

export interface NodeOptions {
  readonly config: StoresConfig;
  readonly wrap: Wrappers;
  readonly maxFileBytes: number;
  /** Told of what must never happen. */
  violation(what: string): void;
}

export class Node {
  readonly instance: Instance;
  #open: Open | undefined;
  #process: Process | undefined;
  #woken = Promise.withResolvers<void>();

  constructor(
    private readonly world: World,
    readonly name: string,
    around: Surroundings,
    readonly options: NodeOptions,
  ) {
    this.instance = new Instance(world, name, around);
  }

  /** What serves calls, if it is there. */
  get open(): Open | undefined {
    return this.#open;
  }

  /** Its process, unless it waits to be started again. */
  get process(): Process | undefined {
    return this.#process;
  }

  /** Lets it keep house at once. */
  wake(): void {
    this.#woken.resolve();
    this.#woken = Promise.withResolvers();
  }

  start(): void {
    const { process, platform } = this.instance.start();
    this.#process = process;
    process.onCrash = () => {
      this.#process = this.#open = undefined;
      this.world.scheduler.after(this.world.random.between(0, 3000), () => this.start());
    };
    // What cannot open its stores exits.
    this.#openStores(process, platform).catch((error) => {
      const isFailure = isRefusal(error);
      if (!isFailure) this.options.violation(`${process.name} cannot start: ${error}`);
      process.crash();
    });
  }

  async #openStores(process: Process, platform: Platform): Promise<void> {
    const { config, wrap, maxFileBytes, violation } = this.options;
    const onDamage = (key: string, error: unknown) => violation(`${process.name}: ${key} is damaged: ${error}`);
    const opened = await openStores(config, wrap.platform?.(platform) ?? platform, onDamage);
    const stores = wrap.stores?.(opened) ?? opened;
    const { files, points, logs, streams } = stores;
    const { retention } = config;
    this.#open = {
      process,
      stores,
      collection: createDataCollectionService({
        points,
        logs,
        streams,
        clock: process,
        retention,
        logRules: LOG_RULES,
      }),
      files: createFileUploadService({ files, streams, maxFileBytes, allowedExtensions: [".txt"] }),
      streams: createStreamService({ streams, clock: process }),
    };
    void this.#keepHouse(process, stores);
  }

  async #keepHouse(process: Process, stores: Stores): Promise<void> {
    const { random } = this.world;
    const never = new AbortController().signal;
    for (;;) {
      await Promise.race([process.sleep(random.between(5_000, 60_000)), this.#woken.promise]);
      if (this.world.isOver) return;
      try {
        await stores.keepHouse(never);
      } catch (error) {
        if (!(isRefusal(error) || error instanceof LeaseLostError)) {
          this.options.violation(`${process.name}: housekeeping failed: ${error}`);
        }
      }
    }
  }
}

/** What a store or the disk may say. */
export function isRefusal(error: unknown): boolean {
  return error instanceof ConnectError || /os error/.test(String(error));
}
