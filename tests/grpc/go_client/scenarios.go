package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/dynamicpb"
)

func (c *client) points(source string, count int) []*dynamicpb.Message {
	messages := make([]*dynamicpb.Message, count)
	for i := range messages {
		messages[i] = c.message("DataPoint", fields{
			"source": source, "timestamp": time.Now().UnixMilli() - int64(i),
			"metrics": map[string]float64{"value": float64(i)}, "tags": map[string]string{"zone": "a"},
		})
	}
	return messages
}

func (c *client) logs(application string, count int) []*dynamicpb.Message {
	messages := make([]*dynamicpb.Message, count)
	for i := range messages {
		messages[i] = c.message("LogEntry", fields{
			"application": application, "level": "warn", "timestamp": time.Now().UnixMilli() - int64(i),
			"message": fmt.Sprintf("line %d", i), "fields": map[string]string{"n": fmt.Sprint(i)},
		})
	}
	return messages
}

func allRPCs(ctx context.Context, c *client) (figures, error) {
	data := text(3<<20 + 17)
	file, err := c.send(ctx, uploadFile, c.chunks("go.csv", data, 64<<10))
	if err != nil {
		return nil, err
	}
	points, err := c.send(ctx, collectPoints, c.points("go", 5000))
	if err != nil {
		return nil, err
	}
	logs, err := c.send(ctx, collectLogs, c.logs("go", 5000))
	if err != nil {
		return nil, err
	}
	return figures{
		"size": get(file, "total_size").Int(), "intact": get(file, "checksum").String() == sum(data),
		"points": get(points, "successful_count").Int(), "logs": get(logs, "indexed_count").Int(),
	}, nil
}

// The services' other names, as a client of the original tutorial has them.
func aliases(ctx context.Context, c *client) (figures, error) {
	statuses := figures{}
	for _, service := range []string{"FileUploadService", "fileupload.FileUploadService"} {
		stream, err := c.conn.NewStream(ctx, clientStream, "/"+service+"/UploadFile")
		if err != nil {
			return nil, err
		}
		if err := stream.SendMsg(c.chunk("alias.txt", 0, []byte("hello\n"), true)); err != nil {
			return nil, err
		}
		receipt, err := c.finish(stream, "UploadResult")
		if err != nil {
			return nil, err
		}
		statuses[service] = get(receipt, "status").String()
	}
	return statuses, nil
}

// A call that stays open until its deadline has passed.
func deadline(ctx context.Context, c *client) (figures, error) {
	ctx, stop := context.WithTimeout(ctx, 500*time.Millisecond)
	defer stop()
	stream, err := c.conn.NewStream(ctx, clientStream, collectPoints)
	if err != nil {
		return nil, err
	}
	for _, point := range c.points("go-deadline", 10) {
		if err := stream.SendMsg(point); err != nil {
			return nil, err
		}
	}
	return figures{"code": status.Code(stream.RecvMsg(c.empty("CollectionResult"))).String()}, nil
}

func cancelUpload(ctx context.Context, c *client) (figures, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.conn.NewStream(ctx, clientStream, uploadFile)
	if err != nil {
		return nil, err
	}
	chunks := c.chunks("go-cancelled.csv", text(4<<20), 64<<10)
	for _, chunk := range chunks[:len(chunks)/2] {
		if err := stream.SendMsg(chunk); err != nil {
			return nil, err
		}
	}
	cancel()
	return figures{"code": status.Code(stream.RecvMsg(c.empty("UploadResult"))).String()}, nil
}

// An upload and its download, with every message compressed.
func gzipBothWays(ctx context.Context, c *client) (figures, error) {
	data := bytes.Repeat([]byte("the same line again and again\n"), 100_000)
	compressed := grpc.UseCompressor(gzip.Name)
	receipt, err := c.send(ctx, uploadFile, c.chunks("go.txt", data, 1<<20), compressed)
	if err != nil {
		return nil, err
	}
	stream, err := c.conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, downloadFile, compressed)
	if err != nil {
		return nil, err
	}
	request := c.message("DownloadFileRequest", fields{"file_id": get(receipt, "file_id").String()})
	if err := errors.Join(stream.SendMsg(request), stream.CloseSend()); err != nil {
		return nil, err
	}
	var back []byte
	for {
		chunk := c.empty("FileChunk")
		if err := stream.RecvMsg(chunk); err == io.EOF {
			break
		} else if err != nil {
			return nil, err
		}
		back = append(back, get(chunk, "data").Bytes()...)
	}
	return figures{
		"intact": bytes.Equal(back, data), "bytes": len(data), "sent": c.sent.Load(), "received": c.received.Load(),
	}, nil
}

func errorDetails(ctx context.Context, c *client) (figures, error) {
	bad := c.chunk("../go.txt", 0, []byte("x"), true)
	_, err := c.send(ctx, uploadFile, []*dynamicpb.Message{bad})
	failed := status.Convert(err)
	named := []string{}
	for _, detail := range failed.Details() {
		if request, ok := detail.(*errdetails.BadRequest); ok {
			for _, violation := range request.FieldViolations {
				named = append(named, violation.Field)
			}
		}
	}
	return figures{"code": failed.Code().String(), "fields": named}, nil
}

// Every value that a byte can have, as metadata; the details of an error come back the same way.
func binaryMetadata(ctx context.Context, c *client) (figures, error) {
	value := make([]byte, 256)
	for i := range value {
		value[i] = byte(i)
	}
	ctx = metadata.AppendToOutgoingContext(ctx, "trace-bin", string(value), "trace-bin", "", "note", "plain")
	receipt, err := c.send(ctx, collectPoints, c.points("go-metadata", 1))
	if err != nil {
		return nil, err
	}
	var trailer metadata.MD
	bad := c.chunk("", 0, []byte("x"), true)
	_, err = c.send(ctx, uploadFile, []*dynamicpb.Message{bad}, grpc.Trailer(&trailer))
	return figures{
		"points": get(receipt, "successful_count").Int(),
		"code":   status.Code(err).String(), "details": len(trailer.Get("grpc-status-details-bin")),
	}, nil
}

// Uploads that are all open before any of them goes on.
func concurrentStreams(ctx context.Context, c *client) (figures, error) {
	const count = 100
	data := text(200_000)
	var open, done sync.WaitGroup
	open.Add(count)
	failures := make(chan error, count)
	for i := range count {
		done.Go(func() {
			chunks := c.chunks(fmt.Sprintf("go-%d.csv", i), data, 32<<10)
			stream, err := c.conn.NewStream(ctx, clientStream, uploadFile)
			if err == nil {
				err = stream.SendMsg(chunks[0])
			}
			open.Done()
			open.Wait()
			for _, chunk := range chunks[1:] {
				if err == nil {
					err = stream.SendMsg(chunk)
				}
			}
			var receipt *dynamicpb.Message
			if err == nil {
				receipt, err = c.finish(stream, "UploadResult")
			}
			if err == nil && get(receipt, "checksum").String() != sum(data) {
				err = errors.New("the receipt has another checksum")
			}
			if err != nil {
				failures <- err
			}
		})
	}
	done.Wait()
	close(failures)
	var all []error
	for err := range failures {
		all = append(all, err)
	}
	return figures{"streams": count, "connections": c.dials.Load()}, errors.Join(all...)
}
