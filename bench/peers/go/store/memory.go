// Package store has the two places that the Go peers put items into.
package store

import (
	"sync"

	pb "sluice/bench/peers/gen/sluice/v1"
)

// Store takes batches that have been validated. What a method has taken is stored when it returns.
type Store interface {
	PutPoints([]*pb.DataPoint) error
	PutLogs([]*pb.LogEntry) error
	PutFile(chunks [][]byte)
}

// The latest of each kind are kept, so that a benchmark does not run out of memory.
const (
	keptItems = 100_000
	keptFiles = 8
)

// Memory keeps items in slices under a mutex.
type Memory struct {
	mu     sync.Mutex
	points ring[*pb.DataPoint]
	logs   ring[*pb.LogEntry]
	files  ring[[][]byte]
}

// NewMemory makes an empty store.
func NewMemory() *Memory {
	return &Memory{
		points: ring[*pb.DataPoint]{limit: keptItems},
		logs:   ring[*pb.LogEntry]{limit: keptItems},
		files:  ring[[][]byte]{limit: keptFiles},
	}
}

func (m *Memory) PutPoints(points []*pb.DataPoint) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range points {
		m.points.put(p)
	}
	return nil
}

func (m *Memory) PutLogs(entries []*pb.LogEntry) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range entries {
		m.logs.put(e)
	}
	return nil
}

func (m *Memory) PutFile(chunks [][]byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.files.put(chunks)
}

// ring is a slice that is appended to up to its limit and overwritten from its beginning afterwards.
type ring[T any] struct {
	items       []T
	next, limit int
}

func (r *ring[T]) put(item T) {
	if len(r.items) < r.limit {
		r.items = append(r.items, item)
		return
	}
	r.items[r.next] = item
	r.next = (r.next + 1) % r.limit
}
