package store

import (
	"database/sql"
	"encoding/json"

	_ "github.com/mattn/go-sqlite3"
	pb "sluice/bench/peers/gen/sluice/v1"
)

const schema = `
CREATE TABLE points (source TEXT NOT NULL, timestamp INTEGER NOT NULL, metrics TEXT NOT NULL, tags TEXT NOT NULL);
CREATE TABLE logs (application TEXT NOT NULL, level TEXT NOT NULL, timestamp INTEGER NOT NULL, message TEXT NOT NULL,
	fields TEXT NOT NULL);`

// SQLite commits every batch in a transaction of its own: a row an item, its maps as JSON, which SQLite can query.
// There is no index. Files stay in memory.
type SQLite struct {
	*Memory
	db           *sql.DB
	points, logs *sql.Stmt
}

// OpenSQLite makes a database in the WAL mode with synchronous=FULL: a commit that returned is on disk.
func OpenSQLite(path string) (*SQLite, error) {
	db, err := sql.Open("sqlite3", "file:"+path+"?_journal_mode=WAL&_synchronous=FULL&_txlock=immediate")
	if err != nil {
		return nil, err
	}
	// SQLite has one writer at a time; a queue here is cheaper than its busy loop.
	db.SetMaxOpenConns(1)
	if _, err := db.Exec(schema); err != nil {
		return nil, err
	}
	points, err := db.Prepare("INSERT INTO points VALUES (?, ?, ?, ?)")
	if err != nil {
		return nil, err
	}
	logs, err := db.Prepare("INSERT INTO logs VALUES (?, ?, ?, ?, ?)")
	if err != nil {
		return nil, err
	}
	return &SQLite{NewMemory(), db, points, logs}, nil
}

func (s *SQLite) PutPoints(points []*pb.DataPoint) error {
	rows := make([][]any, len(points))
	for i, p := range points {
		metrics, err := json.Marshal(p.Metrics)
		if err != nil {
			return err
		}
		tags, err := json.Marshal(p.Tags)
		if err != nil {
			return err
		}
		rows[i] = []any{p.Source, p.Timestamp, metrics, tags}
	}
	return s.commit(s.points, rows)
}

func (s *SQLite) PutLogs(entries []*pb.LogEntry) error {
	rows := make([][]any, len(entries))
	for i, e := range entries {
		fields, err := json.Marshal(e.Fields)
		if err != nil {
			return err
		}
		rows[i] = []any{e.Application, e.Level, e.Timestamp, e.Message, fields}
	}
	return s.commit(s.logs, rows)
}

// commit writes rows that are made beforehand, so that nobody waits for the one connection while JSON is made.
func (s *SQLite) commit(insert *sql.Stmt, rows [][]any) error {
	tx, err := s.db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	statement := tx.Stmt(insert)
	for _, row := range rows {
		if _, err := statement.Exec(row...); err != nil {
			return err
		}
	}
	return tx.Commit()
}
