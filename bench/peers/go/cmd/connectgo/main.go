// connectgo is the server on connect-go, over HTTP/1.1 and h2c.
package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"net/http"

	"connectrpc.com/connect"
	"sluice/bench/peers/calls"
	pb "sluice/bench/peers/gen/sluice/v1"
	"sluice/bench/peers/gen/sluice/v1/sluicev1connect"
	"sluice/bench/peers/store"
)

type collector struct {
	sluicev1connect.UnimplementedDataCollectionServiceHandler
	store store.Store
}

func (s *collector) CollectDataPoints(
	_ context.Context, stream *connect.ClientStream[pb.DataPoint],
) (*connect.Response[pb.CollectionResult], error) {
	call := calls.NewPoints(s.store)
	for stream.Receive() {
		if err := call.Take(stream.Msg()); err != nil {
			return nil, connect.NewError(connect.CodeUnavailable, err)
		}
	}
	if err := stream.Err(); err != nil {
		return nil, err
	}
	result, err := call.Finish()
	if err != nil {
		return nil, connect.NewError(connect.CodeUnavailable, err)
	}
	return connect.NewResponse(result), nil
}

func (s *collector) CollectLogs(
	_ context.Context, stream *connect.ClientStream[pb.LogEntry],
) (*connect.Response[pb.LogCollectionResult], error) {
	call := calls.NewLogs(s.store)
	for stream.Receive() {
		if err := call.Take(stream.Msg()); err != nil {
			return nil, connect.NewError(connect.CodeUnavailable, err)
		}
	}
	if err := stream.Err(); err != nil {
		return nil, err
	}
	result, err := call.Finish()
	if err != nil {
		return nil, connect.NewError(connect.CodeUnavailable, err)
	}
	return connect.NewResponse(result), nil
}

type uploader struct {
	sluicev1connect.UnimplementedFileUploadServiceHandler
	store store.Store
}

func (s *uploader) UploadFile(
	_ context.Context, stream *connect.ClientStream[pb.FileChunk],
) (*connect.Response[pb.UploadResult], error) {
	call := calls.NewFile(s.store)
	for stream.Receive() {
		if err := call.Take(stream.Msg()); err != nil {
			return nil, connect.NewError(connect.CodeInvalidArgument, err)
		}
	}
	if err := stream.Err(); err != nil {
		return nil, err
	}
	result, err := call.Finish()
	if err != nil {
		return nil, connect.NewError(connect.CodeDataLoss, err)
	}
	return connect.NewResponse(result), nil
}

func main() {
	// grpc-go's default, which connect-go does not have.
	limit := connect.WithReadMaxBytes(4 << 20)
	kept := store.NewMemory()
	mux := http.NewServeMux()
	mux.Handle(sluicev1connect.NewDataCollectionServiceHandler(&collector{store: kept}, limit))
	mux.Handle(sluicev1connect.NewFileUploadServiceHandler(&uploader{store: kept}, limit))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{Handler: mux, Protocols: protocols}
	fmt.Printf("listening on http://%s\n", listener.Addr())
	log.Fatal(server.Serve(listener))
}
