package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
)

const (
	largeBytes = 1 << 30
	chunkBytes = 1 << 20
)

// One GiB, made on the fly: no two chunks are the same.
func largeUpload(ctx context.Context, c *client) (figures, error) {
	stream, err := c.conn.NewStream(ctx, clientStream, uploadFile)
	if err != nil {
		return nil, err
	}
	whole := sha256.New()
	data := text(chunkBytes)
	for at := 0; at < largeBytes; at += chunkBytes {
		copy(data, fmt.Sprintf("%019d\n", at))
		whole.Write(data)
		if err := stream.SendMsg(c.chunk("large.csv", at, data, at+chunkBytes == largeBytes)); err == io.EOF {
			break
		} else if err != nil {
			return nil, err
		}
	}
	receipt, err := c.finish(stream, "UploadResult")
	if err != nil {
		return nil, err
	}
	return figures{
		"size":   get(receipt, "total_size").Int(),
		"intact": get(receipt, "checksum").String() == hex.EncodeToString(whole.Sum(nil)),
	}, nil
}
