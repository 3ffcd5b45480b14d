package integration

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"path"
	"slices"
)

const (
	controlFile = "global/pg_control"
	walFiles    = "pg_wal/0*"
)

// newIdentity gives a copy of what initdb has made a system identifier of its own, as a run of initdb would have: standbys, and those
// who compare clusters, know a cluster by that. It stands at the beginning of pg_control, which ends with its checksum, and in the first
// page of each segment of the write-ahead log; see catalog/pg_control.h and access/xlog_internal.h of PostgreSQL's source.
func newIdentity(s seed) (seed, error) {
	control := s.find(controlFile)
	if control == nil || len(control.data) < 16 {
		return nil, errNoControl
	}
	end, ok := checkedLength(control.data)
	if !ok {
		return nil, errNoControl
	}
	was := control.data[:8]
	is := slices.Clone(was)
	if _, err := rand.Read(is[:4]); err != nil { // the other half is the time; all bytes count
		return nil, err
	}
	segments := 0
	renewed := slices.Clone(s)
	for i := range renewed {
		f := &renewed[i]
		if wal, _ := path.Match(walFiles, f.name); !wal || len(f.data) < longPageHeader || !bytes.Equal(f.data[pageIdentity:longPageHeader], was) {
			continue
		}
		f.data = slices.Clone(f.data)
		copy(f.data[pageIdentity:], is)
		segments++
	}
	if segments == 0 {
		return nil, errNoControl
	}
	control = renewed.find(controlFile)
	control.data = slices.Clone(control.data)
	copy(control.data, is)
	binary.NativeEndian.PutUint32(control.data[end:], crc32.Checksum(control.data[:end], castagnoli))
	return renewed, nil
}

const (
	pageIdentity   = 24
	longPageHeader = pageIdentity + 8
)

var (
	castagnoli   = crc32.MakeTable(crc32.Castagnoli)
	errNoControl = errors.New("integration: pg_control is not as it was in PostgreSQL 12 to 18")
)

// checkedLength returns how much of pg_control its checksum covers, behind which that stands.
func checkedLength(data []byte) (n int, ok bool) {
	for n = 16; n+4 <= min(len(data), 1024); n += 4 {
		if crc32.Checksum(data[:n], castagnoli) == binary.NativeEndian.Uint32(data[n:]) {
			return n, true
		}
	}
	return 0, false
}
