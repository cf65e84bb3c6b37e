package checks

import (
	"strings"

	pb "sluice/bench/peers/gen/sluice/v1"
)

// Levels by their usual spellings, in upper case.
var levels = map[string]string{}

func init() {
	for level, spellings := range map[string]string{
		"TRACE": "TRACE TRC T FINEST FINER VERBOSE V SILLY",
		"DEBUG": "DEBUG DBG D FINE CONFIG",
		"INFO":  "INFO INF I INFORMATION INFORMATIONAL NOTICE LOG DEFAULT",
		"WARN":  "WARN WARNING WRN W",
		"ERROR": "ERROR ERR E SEVERE FAILURE",
		"FATAL": "FATAL FTL F CRITICAL CRIT C ALERT EMERGENCY EMERG PANIC DPANIC",
	} {
		for _, spelling := range strings.Fields(spellings) {
			levels[spelling] = level
		}
	}
	levels[""] = "INFO"
}

// Log counts an entry, puts its level into the normal form, and says whether it is accepted.
func (t *Tally) Log(e *pb.LogEntry) bool {
	fault := logFault(e)
	if !fault.some() {
		fault = t.bounds.fault(e.Timestamp)
	}
	if !fault.some() {
		level, known := levels[e.Level]
		if !known {
			level, known = levels[strings.ToUpper(strings.TrimSpace(e.Level))]
		}
		if !known {
			fault = invalid("level", "must be a level as usually written: current value is %q", e.Level)
		}
		e.Level = level
	}
	return t.count(fault)
}

func logFault(e *pb.LogEntry) Fault {
	if e.Application == "" {
		return invalid("application", "must not be empty")
	}
	if len(e.Application) > maxNameBytes {
		return invalid("application", "must have at most %d bytes", maxNameBytes)
	}
	if len(e.Message) > maxLogMessageBytes {
		return invalid("message", "must have at most %d bytes: it has %d", maxLogMessageBytes, len(e.Message))
	}
	if len(e.Fields) > maxLogFields {
		return invalid("fields", "must be at most %d: there are %d", maxLogFields, len(e.Fields))
	}
	bytes := 0
	for key, value := range e.Fields {
		if key == "" {
			return invalid("fields", "must not have an empty key")
		}
		if len(key) > maxNameBytes {
			return invalid("fields", "a key must have at most %d bytes", maxNameBytes)
		}
		bytes += len(key) + len(value)
	}
	if bytes > maxLogFieldBytes {
		return invalid("fields", "must have at most %d bytes: they have %d", maxLogFieldBytes, bytes)
	}
	return Fault{}
}
