// grpcgo is the server on grpc-go: in memory, or with -sqlite PATH.
package main

import (
	"flag"
	"fmt"
	"io"
	"log"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"sluice/bench/peers/calls"
	pb "sluice/bench/peers/gen/sluice/v1"
	"sluice/bench/peers/store"
)

type collector struct {
	pb.UnimplementedDataCollectionServiceServer
	store store.Store
}

func (s *collector) CollectDataPoints(stream grpc.ClientStreamingServer[pb.DataPoint, pb.CollectionResult]) error {
	call := calls.NewPoints(s.store)
	for {
		point, err := stream.Recv()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if err := call.Take(point); err != nil {
			return status.Error(codes.Unavailable, err.Error())
		}
	}
	result, err := call.Finish()
	if err != nil {
		return status.Error(codes.Unavailable, err.Error())
	}
	return stream.SendAndClose(result)
}

func (s *collector) CollectLogs(stream grpc.ClientStreamingServer[pb.LogEntry, pb.LogCollectionResult]) error {
	call := calls.NewLogs(s.store)
	for {
		entry, err := stream.Recv()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if err := call.Take(entry); err != nil {
			return status.Error(codes.Unavailable, err.Error())
		}
	}
	result, err := call.Finish()
	if err != nil {
		return status.Error(codes.Unavailable, err.Error())
	}
	return stream.SendAndClose(result)
}

type uploader struct {
	pb.UnimplementedFileUploadServiceServer
	store store.Store
}

func (s *uploader) UploadFile(stream grpc.ClientStreamingServer[pb.FileChunk, pb.UploadResult]) error {
	call := calls.NewFile(s.store)
	for {
		chunk, err := stream.Recv()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if err := call.Take(chunk); err != nil {
			return status.Error(codes.InvalidArgument, err.Error())
		}
	}
	result, err := call.Finish()
	if err != nil {
		return status.Error(codes.DataLoss, err.Error())
	}
	return stream.SendAndClose(result)
}

func main() {
	path := flag.String("sqlite", "", "database to commit to; without it, items are kept in memory")
	flag.Parse()
	var kept store.Store = store.NewMemory()
	if *path != "" {
		database, err := store.OpenSQLite(*path)
		if err != nil {
			log.Fatal(err)
		}
		kept = database
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer()
	pb.RegisterDataCollectionServiceServer(server, &collector{store: kept})
	pb.RegisterFileUploadServiceServer(server, &uploader{store: kept})
	fmt.Printf("listening on http://%s\n", listener.Addr())
	log.Fatal(server.Serve(listener))
}
