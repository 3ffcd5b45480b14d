package sqlitebind

import (
	"database/sql/driver"
	"strconv"
	"sync/atomic"

	"github.com/bindery-go/bindery/binds"
)

// source is one database: a file, or a memory database that lives as long as an engine uses it.
type source struct {
	driver *Driver
	settings
	memoryName string // of a memory database, unlike every other in this process

	made   atomic.Bool   // the file is there and has its journal mode
	making chan struct{} // a semaphore of one: who makes the file
}

var (
	_ binds.Source        = (*source)(nil)
	_ binds.NativeSource  = (*source)(nil)
	_ binds.PoolBounder   = (*source)(nil)
	_ binds.RoleSplitter  = (*source)(nil)
	_ binds.SharedStorage = (*source)(nil)
)

// memories numbers the memory databases of the process.
var memories atomic.Int64

func newSource(d *Driver, s *settings) *source {
	src := &source{driver: d, settings: *s, making: make(chan struct{}, 1)}
	if s.memory() {
		src.memoryName = "/bindery-" + strconv.FormatInt(memories.Add(1), 10)
	}
	return src
}

// Connector returns where the connections of role come from.
func (s *source) Connector(role binds.Role) driver.Connector {
	return &connector{source: s, role: role}
}

// NativeConnector is Connector for connections of modernc.org/sqlite's own type.
func (s *source) NativeConnector(role binds.Role) driver.Connector {
	return &connector{source: s, role: role, native: true}
}

// SplitsRoles says that a file is worth readers of its own. A memory database has no write-ahead log
// to read beside a writer.
func (s *source) SplitsRoles() bool { return !s.memory() }

// Storage is the file: its engines see the same data, a read that begins after a write was
// acknowledged shows it. A memory database is its source's own, and an immutable file is read as it
// was.
func (s *source) Storage() string {
	if s.immutable {
		return ""
	}
	return s.path
}

// BoundPool gives a file one writing connection, which waits in the pool's fair queue instead of
// polling for SQLite's lock. Connections to a file of one's own need not age: there is no DNS name
// to follow, and to close the last one means to fold the write-ahead log into the file.
func (s *source) BoundPool(role binds.Role, p binds.Pool) binds.Pool {
	p.MaxLifetime = -1
	if role == binds.Writer && !s.memory() {
		p.MaxOpen, p.MaxIdle, p.MaxIdleTime = 1, 1, -1
	}
	return p
}
