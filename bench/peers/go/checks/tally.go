// Package checks holds the validation that every peer does: that of Sluice's services, limit for limit.
package checks

import (
	"fmt"
	"time"

	pb "sluice/bench/peers/gen/sluice/v1"
)

// Limits of limits.ts, in bytes of UTF-8 where they are about text.
const (
	maxRejections      = 100
	maxNameBytes       = 256
	maxTagValueBytes   = 1 << 10
	maxTags            = 32
	maxMetrics         = 128
	maxSeriesBytes     = 2 << 10
	maxLogMessageBytes = 32 << 10
	maxLogFields       = 64
	maxLogFieldBytes   = 16 << 10
	maxFileNameBytes   = 255
	maxFileBytes       = 16 << 30
	retention          = 30 * 24 * time.Hour
	maxFuture          = 24 * time.Hour
)

// Fault is why an item is refused. The zero value is none.
type Fault struct{ field, reason string }

func (f Fault) some() bool { return f.reason != "" }

func invalid(field, format string, args ...any) Fault {
	return Fault{field, fmt.Sprintf(format, args...)}
}

// Tally counts the items of a call and names the first that were refused.
type Tally struct {
	Total, Errors int64
	Rejections    []*pb.Rejection
	bounds        bounds
}

// NewTally begins a call; timestamps are judged by its beginning.
func NewTally() *Tally {
	now := time.Now()
	return &Tally{bounds: bounds{now.Add(-retention).UnixMilli(), now.Add(maxFuture).UnixMilli()}}
}

func (t *Tally) count(fault Fault) bool {
	index := t.Total
	t.Total++
	if !fault.some() {
		return true
	}
	t.Errors++
	if len(t.Rejections) < maxRejections {
		t.Rejections = append(t.Rejections, &pb.Rejection{
			Index: index, Code: "INVALID_ARGUMENT", Field: fault.field, Reason: fault.reason,
		})
	}
	return false
}

// Lines are the rejections as text.
func (t *Tally) Lines() []string {
	lines := make([]string, len(t.Rejections))
	for i, r := range t.Rejections {
		lines[i] = fmt.Sprintf("item %d: %s: %s", r.Index, r.Field, r.Reason)
	}
	return lines
}

// Timestamps that are accepted, ms since the epoch, inclusive.
type bounds struct{ oldest, newest int64 }

func (b bounds) fault(timestamp int64) Fault {
	if timestamp > b.newest {
		return invalid("timestamp", "must be at most 24 hours ahead: current value is %d", timestamp)
	}
	if timestamp < b.oldest {
		return invalid("timestamp", "must be within the 30 days that are kept: current value is %d", timestamp)
	}
	return Fault{}
}
