#!/bin/sh
# buf's plugin: protoc-gen-es from npm, run by Deno so that nothing but Deno has to be installed.
exec deno run -A npm:@bufbuild/protoc-gen-es@2.17.0/protoc-gen-es "$@"
