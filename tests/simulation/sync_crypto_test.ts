import { assertEquals } from "@std/assert";
import { createSigner } from "../../store/blob/s3_signer.ts";
import { useSyncCrypto } from "./sync_crypto.ts";

const config = {
  url: "http://s3.example/bucket",
  prefix: "",
  region: "r",
  accessKeyId: "id",
  secretAccessKey: "secret",
  sessionToken: undefined,
};

async function results() {
  const headers = await createSigner(config)({ method: "GET", url: new URL(config.url), headers: { a: "b" } }, 1e12);
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode("abc"));
  return [new Headers(headers).get("authorization"), new Uint8Array(digest).toHex()];
}

Deno.test("useSyncCrypto() changes no result", async () => {
  const real = await results();
  {
    using _ = useSyncCrypto();
    assertEquals(await results(), real);
  }
  assertEquals(await results(), real);
});
