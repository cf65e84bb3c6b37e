/**
 * grpc.reflection: what the server serves, for grpcurl, Postman and buf curl.
 *
 * @module
 */
import { type DescFile, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import { untilAborted } from "../abortable.ts";
import type {
  ServerReflectionRequest,
  ServerReflectionResponseSchema,
} from "../gen/grpc/reflection/v1/reflection_pb.ts";

type Response = MessageInitShape<typeof ServerReflectionResponseSchema>;
type Answer = Response["messageResponse"];

/** Answers the requests of one reflection stream. */
export function createReflection(files: readonly DescFile[]) {
  const byName = new Map<string, DescFile>();
  const bySymbol = new Map<string, DescFile>();
  const services: string[] = [];
  for (const file of files) {
    addFile(file, byName);
    for (const { typeName } of file.services) services.push(typeName);
  }
  for (const file of byName.values()) for (const symbol of symbolsOf(file)) bySymbol.set(symbol, file);
  services.sort();

  function answer({ messageRequest: { case: kind, value } }: ServerReflectionRequest): Answer {
    switch (kind) {
      case "listServices":
        return { case: "listServicesResponse", value: { service: services.map((name) => ({ name })) } };
      case "fileByFilename":
        return descriptors(byName.get(value), value);
      case "fileContainingSymbol":
        return descriptors(bySymbol.get(value), value);
      case "allExtensionNumbersOfType":
        // There are no extensions; of a type that is known, there are none of it.
        return bySymbol.has(value)
          ? { case: "allExtensionNumbersResponse", value: { baseTypeName: value } }
          : unknown(value);
      case "fileContainingExtension":
        return unknown(`extension ${value.extensionNumber} of ${value.containingType}`);
      default:
        return {
          case: "errorResponse",
          value: { errorCode: Code.InvalidArgument, errorMessage: "the request asks for nothing" },
        };
    }
  }

  return async function* (
    requests: AsyncIterable<ServerReflectionRequest>,
    { signal }: { readonly signal: AbortSignal },
  ): AsyncGenerator<Response> {
    for await (const request of untilAborted(requests, signal)) {
      yield { validHost: request.host, originalRequest: request, messageResponse: answer(request) };
    }
  };
}

/** The file and all that it imports. */
function addFile(file: DescFile, into: Map<string, DescFile>): void {
  if (into.has(file.proto.name)) return;
  into.set(file.proto.name, file);
  for (const dependency of file.dependencies) addFile(dependency, into);
}

function* symbolsOf(file: DescFile): Generator<string> {
  for (const service of file.services) {
    yield service.typeName;
    for (const method of service.methods) yield `${service.typeName}.${method.name}`;
  }
  for (const enumeration of file.enums) yield enumeration.typeName;
  const messages = [...file.messages];
  for (let message = messages.pop(); message; message = messages.pop()) {
    yield message.typeName;
    for (const field of message.fields) yield `${message.typeName}.${field.name}`;
    for (const enumeration of message.nestedEnums) yield enumeration.typeName;
    messages.push(...message.nestedMessages);
  }
}

function descriptors(file: DescFile | undefined, asked: string): Answer {
  if (!file) return unknown(asked);
  const files = new Map<string, DescFile>();
  addFile(file, files);
  const fileDescriptorProto = [...files.values()].map(({ proto }) => toBinary(FileDescriptorProtoSchema, proto));
  return { case: "fileDescriptorResponse", value: { fileDescriptorProto } };
}

function unknown(what: string): Answer {
  return { case: "errorResponse", value: { errorCode: Code.NotFound, errorMessage: `not found: ${what}` } };
}
