package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/dynamicpb"
)

const (
	uploadFile    = "/sluice.v1.FileUploadService/UploadFile"
	downloadFile  = "/sluice.v1.FileUploadService/DownloadFile"
	collectPoints = "/sluice.v1.DataCollectionService/CollectDataPoints"
	collectLogs   = "/sluice.v1.DataCollectionService/CollectLogs"
)

// What each client-streaming method answers.
var results = map[string]string{
	uploadFile:    "UploadResult",
	collectPoints: "CollectionResult",
	collectLogs:   "LogCollectionResult",
}

var clientStream = &grpc.StreamDesc{ClientStreams: true}

// Sends messages and returns the receipt.
func (c *client) send(
	ctx context.Context, method string, messages []*dynamicpb.Message, options ...grpc.CallOption,
) (*dynamicpb.Message, error) {
	stream, err := c.conn.NewStream(ctx, clientStream, method, options...)
	if err != nil {
		return nil, err
	}
	for _, message := range messages {
		// io.EOF: the server has answered already, and the answer says why.
		if err := stream.SendMsg(message); err == io.EOF {
			break
		} else if err != nil {
			return nil, err
		}
	}
	return c.finish(stream, results[method])
}

// Ends the messages and returns the receipt.
func (c *client) finish(stream grpc.ClientStream, result string) (*dynamicpb.Message, error) {
	if err := stream.CloseSend(); err != nil {
		return nil, err
	}
	receipt := c.empty(result)
	return receipt, stream.RecvMsg(receipt)
}

func (c *client) chunk(name string, offset int, data []byte, last bool) *dynamicpb.Message {
	return c.message("FileChunk", fields{
		"file_name": name, "offset": int64(offset), "data": data, "is_last_chunk": last, "checksum": sum(data),
	})
}

// A file in chunks, each with its checksum.
func (c *client) chunks(name string, data []byte, size int) []*dynamicpb.Message {
	var messages []*dynamicpb.Message
	for at := 0; at < len(data); at += size {
		end := min(at+size, len(data))
		messages = append(messages, c.chunk(name, at, data[at:end], end == len(data)))
	}
	return messages
}

func sum(data []byte) string {
	digest := sha256.Sum256(data)
	return hex.EncodeToString(digest[:])
}

// Lines of text that do not compress to nothing.
func text(size int) []byte {
	data := make([]byte, size)
	state := uint32(1)
	for i := range data {
		state = state*1664525 + 1013904223
		data[i] = 'a' + byte(state>>24)%26
		if i%64 == 63 {
			data[i] = '\n'
		}
	}
	return data
}
