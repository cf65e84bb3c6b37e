/**
 * Ways over more keys than one round can look at.
 *
 * @module
 */
import { HOUSEKEEPING_PAGES } from "../../../limits.ts";
import type { Entry, KvClient } from "../kv.ts";

/** A walk over all keys of a prefix that takes as many rounds as it needs, and then begins anew. */
export class Walk {
  /** Where the next round begins; undefined for the prefix's beginning. */
  #start: Deno.KvKey | undefined;

  constructor(private readonly kv: KvClient, private readonly prefix: Deno.KvKey) {}

  /** The pages of one round. One that is not done with, because an error ended the round, comes again. */
  async *pages(): AsyncGenerator<readonly Entry[]> {
    const { prefix } = this;
    let left = HOUSEKEEPING_PAGES;
    for await (const page of this.kv.pages(this.#start ? { prefix, start: this.#start } : { prefix })) {
      yield page;
      this.#start = [...page[page.length - 1].key, true];
      if (--left === 0) return;
    }
    this.#start = undefined;
  }
}

/** Each tenant that has any key under this prefix, behind which it stands. */
export async function* tenantsOf(kv: KvClient, prefix: readonly string[]): AsyncGenerator<string> {
  let start: Deno.KvKey | undefined;
  for (;;) {
    let tenant: string | undefined;
    const selector = start ? { prefix: [...prefix], start } : { prefix: [...prefix] };
    for await (const [entry] of kv.pages(selector, { batch: 1 })) {
      tenant = entry.key[prefix.length] as string;
      break;
    }
    if (tenant === undefined) return;
    yield tenant;
    // `true` sorts behind every other kind of key part.
    start = [...prefix, tenant, true];
  }
}
