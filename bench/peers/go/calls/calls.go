// Package calls is what the two Go servers have in common: one call of each method, message by message.
package calls

import (
	"crypto/rand"
	"math"
	"time"

	"sluice/bench/peers/checks"
	pb "sluice/bench/peers/gen/sluice/v1"
	"sluice/bench/peers/store"
)

// Items that are put into the store at once.
const batchItems = 1000

// Points is one call of CollectDataPoints.
type Points struct {
	store store.Store
	tally *checks.Tally
	batch []*pb.DataPoint
	began time.Time
}

func NewPoints(s store.Store) *Points {
	return &Points{store: s, tally: checks.NewTally(), began: time.Now()}
}

func (c *Points) Take(p *pb.DataPoint) error {
	if !c.tally.Point(p) {
		return nil
	}
	c.batch = append(c.batch, p)
	if len(c.batch) < batchItems {
		return nil
	}
	return c.flush()
}

func (c *Points) Finish() (*pb.CollectionResult, error) {
	if err := c.flush(); err != nil {
		return nil, err
	}
	return &pb.CollectionResult{
		TotalProcessed:   saturated(c.tally.Total),
		SuccessfulCount:  saturated(c.tally.Total - c.tally.Errors),
		ErrorCount:       saturated(c.tally.Errors),
		Errors:           c.tally.Lines(),
		ProcessingTimeMs: time.Since(c.began).Milliseconds(),
		Committed:        c.tally.Total,
		Rejections:       c.tally.Rejections,
	}, nil
}

func (c *Points) flush() error {
	if len(c.batch) == 0 {
		return nil
	}
	err := c.store.PutPoints(c.batch)
	c.batch = c.batch[:0]
	return err
}

// Logs is one call of CollectLogs.
type Logs struct {
	store store.Store
	tally *checks.Tally
	batch []*pb.LogEntry
}

func NewLogs(s store.Store) *Logs { return &Logs{store: s, tally: checks.NewTally()} }

func (c *Logs) Take(e *pb.LogEntry) error {
	if !c.tally.Log(e) {
		return nil
	}
	c.batch = append(c.batch, e)
	if len(c.batch) < batchItems {
		return nil
	}
	return c.flush()
}

func (c *Logs) Finish() (*pb.LogCollectionResult, error) {
	if err := c.flush(); err != nil {
		return nil, err
	}
	status := "completed"
	if c.tally.Errors > 0 {
		status = "partial"
	}
	return &pb.LogCollectionResult{
		TotalReceived: saturated(c.tally.Total),
		IndexedCount:  saturated(c.tally.Total - c.tally.Errors),
		Status:        status,
		ErrorCount:    c.tally.Errors,
		Committed:     c.tally.Total,
		Rejections:    c.tally.Rejections,
	}, nil
}

func (c *Logs) flush() error {
	if len(c.batch) == 0 {
		return nil
	}
	err := c.store.PutLogs(c.batch)
	c.batch = c.batch[:0]
	return err
}

// File is one call of UploadFile.
type File struct {
	store  store.Store
	file   *checks.File
	chunks [][]byte
}

func NewFile(s store.Store) *File { return &File{store: s, file: checks.NewFile()} }

func (c *File) Take(chunk *pb.FileChunk) error {
	if err := c.file.Take(chunk); err != nil {
		return err
	}
	c.chunks = append(c.chunks, chunk.Data)
	return nil
}

func (c *File) Finish() (*pb.UploadResult, error) {
	result, err := c.file.Finish()
	if err != nil {
		return nil, err
	}
	c.store.PutFile(c.chunks)
	result.FileId = rand.Text()
	return result, nil
}

func saturated(count int64) int32 { return int32(min(count, math.MaxInt32)) }
