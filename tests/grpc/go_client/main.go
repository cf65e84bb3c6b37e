// A client on grpc-go that runs one scenario against a server and prints what it saw as a line of JSON.
//
//	go_client -addr HOST:PORT -descriptors FILE SCENARIO
//
// Messages are dynamic: the descriptors are read from a google.protobuf.FileDescriptorSet.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/stats"
)

// The longest that a scenario may take.
const patience = 5 * time.Minute

// Figures that a scenario gives back; the suite checks them.
type figures map[string]any

type scenario func(ctx context.Context, c *client) (figures, error)

var scenarios = map[string]scenario{
	"rpcs":       allRPCs,
	"aliases":    aliases,
	"deadline":   deadline,
	"cancel":     cancelUpload,
	"gzip":       gzipBothWays,
	"details":    errorDetails,
	"metadata":   binaryMetadata,
	"concurrent": concurrentStreams,
	"large":      largeUpload,
}

// A connection; it is also grpc-go's handler of statistics.
type client struct {
	*schema
	conn *grpc.ClientConn
	// How many connections have been opened.
	dials atomic.Int64
	// Bytes of messages as they were on the wire.
	sent, received atomic.Int64
}

func (c *client) HandleRPC(_ context.Context, event stats.RPCStats) {
	switch event := event.(type) {
	case *stats.OutPayload:
		c.sent.Add(int64(event.CompressedLength))
	case *stats.InPayload:
		c.received.Add(int64(event.CompressedLength))
	}
}

func (c *client) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context   { return ctx }
func (c *client) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (c *client) HandleConn(context.Context, stats.ConnStats)                       {}

func main() {
	addr := flag.String("addr", "", "host and port of the server")
	descriptors := flag.String("descriptors", "", "file with a FileDescriptorSet")
	flag.Parse()
	if err := run(*addr, *descriptors, flag.Arg(0)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(addr, descriptors, name string) error {
	play, ok := scenarios[name]
	if !ok {
		return fmt.Errorf("there is no scenario %q", name)
	}
	schema, err := readSchema(descriptors)
	if err != nil {
		return err
	}
	c := &client{schema: schema}
	c.conn, err = grpc.NewClient(
		"passthrough:///"+addr,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithStatsHandler(c),
		grpc.WithContextDialer(func(ctx context.Context, addr string) (net.Conn, error) {
			c.dials.Add(1)
			return (&net.Dialer{}).DialContext(ctx, "tcp", addr)
		}),
	)
	if err != nil {
		return err
	}
	defer c.conn.Close()
	ctx, stop := context.WithTimeout(context.Background(), patience)
	defer stop()
	began := time.Now()
	seen, err := play(ctx, c)
	if err != nil {
		return err
	}
	seen["milliseconds"] = time.Since(began).Milliseconds()
	return json.NewEncoder(os.Stdout).Encode(seen)
}
