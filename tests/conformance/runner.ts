/**
 * connectconformance, a Go program: where it is, and the protocol that it speaks.
 *
 * @module
 */
import { findProgram, run } from "../http2/network.ts";

const MODULE = "connectrpc.com/conformance";
/** Moving it on may bring new cases. */
const VERSION = "v1.0.7";
const INSTALL = `go install ${MODULE}/cmd/connectconformance@${VERSION}`;

export interface Runner {
  readonly path: string;
  /** The folder of its .proto files. */
  readonly protos: string;
}

/** Finds it; throws, and says how to install it, if it is missing or of another version. */
export async function findRunner(): Promise<Runner> {
  const path = await findProgram("connectconformance");
  if (!path) throw new Error(`connectconformance is not installed: ${INSTALL}`);
  const { text: version } = await run("go", ["version", "-m", path]);
  if (!version.includes(`${MODULE}\t${VERSION}\t`)) {
    throw new Error(`${path} is not ${MODULE} ${VERSION}: ${INSTALL}`);
  }
  const { success, text } = await run("go", ["mod", "download", "-json", `${MODULE}@${VERSION}`]);
  const folder = success ? (JSON.parse(text) as { Dir: string }).Dir : undefined;
  if (!folder) throw new Error(`go mod download ${MODULE}@${VERSION} failed: ${text}`);
  return { path, protos: `${folder}/proto` };
}
