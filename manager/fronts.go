package manager

import (
	"database/sql"
	"database/sql/driver"
	"sync"

	"github.com/bindery-go/bindery/binds"
)

// fronts are pools that a bind's Bun DBs are made of, and which have connections of whatever engines the bind has by then. A tenant's stay open while it is
// closed, without a connection, and what they are asked for then opens it. So a Bun DB that a program holds is good for as long as it holds it. Nothing
// in them leads to a tenant, which can be forgotten; then they are closed. The zero value is ready, and none is open.
type fronts struct {
	mu             sync.Mutex // guards the rest
	writer, native *sql.DB    // nil before they are used
	reader         *binds.SpreadPool
	readerBounds   binds.Pool
	nativeBounds   binds.Pool
	closed         bool
}

// openWriter returns the pool that lends the writer's connections, which open opens if it is not open.
func (f *fronts) openWriter(open func() *sql.DB) *sql.DB {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.writer == nil {
		f.writer = open()
		if f.closed {
			_ = f.writer.Close() // it is empty
		}
	}
	return f.writer
}

// openReader returns the pool for reads, with connections of c if it is not open yet, and with those bounds.
func (f *fronts) openReader(name string, c driver.Connector, bounds binds.Pool) *sql.DB {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.reader == nil:
		f.reader = binds.OpenPool(name, c, bounds)
		if f.closed {
			_ = f.reader.Close() // likewise
		}
	case f.readerBounds != bounds:
		f.reader.SetBounds(bounds)
	}
	f.readerBounds = bounds
	return f.reader.DB()
}

// openNative returns the pool of [Bind.Native], with connections of c if it is not open yet.
func (f *fronts) openNative(c driver.Connector, bounds binds.Pool) *sql.DB {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.native == nil {
		f.native, f.nativeBounds = bounds.Open(c), bounds
		if f.closed {
			_ = f.native.Close() // likewise
		}
	}
	return f.native
}

// hasReader reports whether the pool for reads is open.
func (f *fronts) hasReader() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.reader != nil
}

func (f *fronts) opened() (opened []*sql.DB) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, db := range []*sql.DB{f.writer, f.native} {
		if db != nil {
			opened = append(opened, db)
		}
	}
	if f.reader != nil {
		opened = append(opened, f.reader.DB())
	}
	return opened
}

// inUse reports whether anybody has a connection of theirs, or waits for one.
func (f *fronts) inUse() bool {
	for _, db := range f.opened() {
		if db.Stats().InUse > 0 {
			return true
		}
	}
	return false
}

// closeIdle closes the idle connections. The pool of the writer has none.
func (f *fronts) closeIdle() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.reader != nil {
		binds.CloseIdle(f.reader.DB(), f.readerBounds)
	}
	if f.native != nil {
		binds.CloseIdle(f.native, f.nativeBounds)
	}
}

func (f *fronts) close() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	for _, db := range f.opened() {
		_ = db.Close() // what they hold is closed with the engines, which tell
	}
}
