package checks

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"path"
	"strings"
	"unicode"

	pb "sluice/bench/peers/gen/sluice/v1"
)

var extensions = map[string]bool{".txt": true, ".csv": true, ".json": true, ".xml": true}

// File is one upload between its chunks.
type File struct {
	name         string
	total        int64
	size, chunks int64
	last         bool
	sum          string
	hash         hash.Hash
}

// NewFile begins an upload.
func NewFile() *File { return &File{hash: sha256.New()} }

// Take checks a chunk against those before it, and its checksum against its data.
func (f *File) Take(c *pb.FileChunk) error {
	if f.name == "" {
		if fault := nameFault(c.FileName); fault != "" {
			return errors.New("file_name: " + fault)
		}
		f.name = c.FileName
	} else if c.FileName != "" && c.FileName != f.name {
		return errors.New("file_name: must not change within a stream")
	} else if f.ended() {
		return errors.New("is_last_chunk: a chunk came after the file's last one")
	}
	if c.TotalSize < 0 || c.TotalSize > maxFileBytes || (c.TotalSize != 0 && f.total != 0 && c.TotalSize != f.total) {
		return fmt.Errorf("total_size: current value is %d", c.TotalSize)
	}
	if c.TotalSize != 0 {
		f.total = c.TotalSize
	}
	if c.Offset != f.size {
		return fmt.Errorf("offset: must be %d, where the last chunk ended: current value is %d", f.size, c.Offset)
	}
	f.size += int64(len(c.Data))
	if f.size > maxFileBytes || (f.total > 0 && f.size > f.total) {
		return fmt.Errorf("data: the file has %d bytes or more, and total_size says %d", f.size, f.total)
	}
	if c.Checksum != "" {
		if sum := sha256.Sum256(c.Data); hex.EncodeToString(sum[:]) != c.Checksum {
			return fmt.Errorf("checksum: is wrong for the chunk at offset %d", c.Offset)
		}
	}
	if c.FileChecksum != "" {
		f.sum = c.FileChecksum
	}
	f.hash.Write(c.Data)
	f.chunks++
	f.last = f.last || c.IsLastChunk
	return nil
}

// Finish checks the whole file and returns its receipt, without an id.
func (f *File) Finish() (*pb.UploadResult, error) {
	if !f.ended() {
		return nil, fmt.Errorf("the stream ended after %d of %d bytes", f.size, f.total)
	}
	sum := hex.EncodeToString(f.hash.Sum(nil))
	if f.sum != "" && f.sum != sum {
		return nil, errors.New("file_checksum: is wrong")
	}
	return &pb.UploadResult{
		FileName: f.name, TotalSize: f.size, Checksum: sum, Status: "completed", Committed: f.size, ChunkCount: f.chunks,
	}, nil
}

func (f *File) ended() bool { return f.last || (f.total > 0 && f.size == f.total) }

func nameFault(name string) string {
	switch {
	case name == "":
		return "must not be empty"
	case len(name) > maxFileNameBytes:
		return "is too long"
	case strings.ContainsAny(name, `/\`) || strings.ContainsFunc(name, unicode.IsControl):
		return "must be a name without separators and control characters"
	case !extensions[strings.ToLower(path.Ext(name))]:
		return "has none of the extensions that are allowed"
	}
	return ""
}
