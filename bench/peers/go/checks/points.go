package checks

import (
	"math"

	pb "sluice/bench/peers/gen/sluice/v1"
)

// Point counts a point and says whether it is accepted.
func (t *Tally) Point(p *pb.DataPoint) bool {
	fault := pointFault(p)
	if !fault.some() {
		fault = t.bounds.fault(p.Timestamp)
	}
	return t.count(fault)
}

func pointFault(p *pb.DataPoint) Fault {
	if p.Source == "" {
		return invalid("source", "must not be empty")
	}
	if len(p.Source) > maxNameBytes {
		return invalid("source", "must have at most %d bytes: it has %d", maxNameBytes, len(p.Source))
	}
	longest := 0
	for metric, value := range p.Metrics {
		if metric == "" {
			return invalid("metrics", "must not have an empty name")
		}
		if len(metric) > maxNameBytes {
			return invalid("metrics", "a name must have at most %d bytes: it has %d", maxNameBytes, len(metric))
		}
		if math.IsNaN(value) || math.IsInf(value, 0) {
			return invalid("metrics["+metric+"]", "must be a finite number: current value is %v", value)
		}
		longest = max(longest, len(metric))
	}
	if len(p.Metrics) == 0 {
		return invalid("metrics", "must have at least one value")
	}
	if len(p.Metrics) > maxMetrics {
		return invalid("metrics", "must be at most %d: there are %d", maxMetrics, len(p.Metrics))
	}
	bytes := len(p.Source) + longest
	for key, value := range p.Tags {
		if key == "" {
			return invalid("tags", "must not have an empty key")
		}
		if len(key) > maxNameBytes || len(value) > maxTagValueBytes {
			return invalid("tags", "a key must have at most %d bytes, a value %d", maxNameBytes, maxTagValueBytes)
		}
		bytes += len(key) + len(value)
	}
	if len(p.Tags) > maxTags {
		return invalid("tags", "must be at most %d: there are %d", maxTags, len(p.Tags))
	}
	if bytes > maxSeriesBytes {
		return invalid("tags", "must, with source and metric, have at most %d bytes", maxSeriesBytes)
	}
	return Fault{}
}
