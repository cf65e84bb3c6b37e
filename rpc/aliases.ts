/**
 * Other names of the services: those of the tutorial that the contract began from, the bare names, which are handy to
 * type after grpcurl, and reflection's earlier version, which differs from v1 in its name only. They reach the same handlers, and reflection knows them, as services of small files of their own
 * that import the real messages.
 *
 * @module
 */
import { create, createFileRegistry, type DescFile, type DescService, type FileRegistry } from "@bufbuild/protobuf";
import {
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
  ServiceDescriptorProtoSchema,
} from "@bufbuild/protobuf/wkt";
import { ServerReflection } from "../gen/grpc/reflection/v1/reflection_pb.ts";
import { DataCollectionService } from "../gen/sluice/v1/data_collection_pb.ts";
import { FileUploadService } from "../gen/sluice/v1/file_upload_pb.ts";

/** Names, full, and the service that each stands for. */
export const ALIASES: ReadonlyMap<string, DescService> = new Map<string, DescService>([
  ["FileUploadService", FileUploadService],
  ["fileupload.FileUploadService", FileUploadService],
  ["DataCollectionService", DataCollectionService],
  ["grpc.reflection.v1alpha.ServerReflection", ServerReflection],
]);

/** Files that declare the aliases. */
export function aliasFiles(): DescFile[] {
  const files = [...ALIASES].map(([name, service]) => {
    const dot = name.lastIndexOf(".");
    return create(FileDescriptorProtoSchema, {
      name: `sluice/alias/${name}.proto`,
      package: dot === -1 ? "" : name.slice(0, dot),
      syntax: "proto3",
      dependency: [service.file.proto.name],
      service: [create(ServiceDescriptorProtoSchema, { name: name.slice(dot + 1), method: service.proto.method })],
    });
  });
  const imported = new Set([...ALIASES.values()].map(({ file }) => file.proto));
  const registry: FileRegistry = createFileRegistry(create(FileDescriptorSetSchema, { file: [...imported, ...files] }));
  return files.map(({ name }) => {
    const file = registry.getFile(name);
    if (!file) throw new Error(`${name} is not in its own registry`);
    return file;
  });
}
