/**
 * The descriptors of the conformance protocol. The runner's Go module brings the .proto files; nothing of them is kept
 * here, so that they cannot differ from the runner.
 *
 * @module
 */
import {
  createFileRegistry,
  type DescMessage,
  type DescService,
  type FileRegistry,
  fromBinary,
} from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { BUF } from "../../scripts/run.ts";
import { PACKAGE } from "./messages.ts";

/** Compiles the .proto files in a folder into one file, a google.protobuf.FileDescriptorSet. */
export async function compileProtos(folder: string, into: string): Promise<void> {
  const args = [...BUF, "build", folder, "-o", `${into}#format=binpb`];
  const { success, stderr } = await new Deno.Command(Deno.execPath(), { args, stderr: "piped" }).output();
  if (!success) throw new Error(`buf build ${folder} failed: ${new TextDecoder().decode(stderr)}`);
}

export async function readDescriptors(path: string): Promise<FileRegistry> {
  return createFileRegistry(fromBinary(FileDescriptorSetSchema, await Deno.readFile(path)));
}

/** The message of that name in the conformance package. */
export function messageNamed(registry: FileRegistry, name: string): DescMessage {
  const message = registry.getMessage(`${PACKAGE}.${name}`);
  if (!message) throw new Error(`the conformance protocol has no message ${name}`);
  return message;
}

export function conformanceService(registry: FileRegistry): DescService {
  const service = registry.getService(`${PACKAGE}.ConformanceService`);
  if (!service) throw new Error("the conformance protocol has no ConformanceService");
  return service;
}
