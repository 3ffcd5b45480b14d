package bindtest

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"go.uber.org/goleak"

	"github.com/bindery-go/bindery/binds"
)

const (
	// patience bounds every wait for something that ought to take milliseconds.
	patience = 10 * time.Second
	// poll is how often a condition is looked at.
	poll = 5 * time.Millisecond
)

// suite is a harness at work.
type suite struct {
	Harness
	drivers binds.Drivers
	servers []goleak.Option // ignore what keeps the servers that the harness started anew
}

func (s *suite) register(t *testing.T) {
	seen := map[string]bool{}
	for _, uri := range append([]string{s.Writer, s.Dead, s.Login}, s.Readers...) {
		scheme, _, ok := strings.Cut(uri, ":")
		if uri == "" || seen[scheme] {
			continue
		}
		require.True(t, ok, "bindtest: a URI of the harness has no scheme")
		seen[scheme] = true
		s.drivers.Register(s.Driver, scheme)
	}
}

// run checks one promise, and afterwards that it left no goroutine and no session behind.
func (s *suite) run(t *testing.T, check func(*suite, *testing.T)) {
	before := s.connections(t)
	ignore := goleak.IgnoreCurrent()
	t.Cleanup(func() {
		s.eventually(t, func() bool { return s.connections(t) <= before }, "sessions are left on the server")
		goleak.VerifyNone(t, append(s.servers, ignore)...)
	})
	check(s, t)
}

// connections counts the sessions on the server; none are ever seen of an embedded database.
func (s *suite) connections(t *testing.T) int {
	if s.Connections == nil {
		return 0
	}
	n, err := s.Connections(cleanupCtx(t))
	require.NoError(t, err, "bindtest: the harness cannot count connections")
	return n
}

// running counts the statements at work on the server.
func (s *suite) running(t *testing.T) int {
	n, err := s.Running(cleanupCtx(t))
	require.NoError(t, err, "bindtest: the harness cannot count statements")
	return n
}

func (s *suite) sync(t *testing.T) {
	if s.Sync != nil {
		require.NoError(t, s.Sync(ctx(t)), "bindtest: the readers do not catch up")
	}
}

func (s *suite) kill(t *testing.T, id string) {
	t.Helper()
	require.NoError(t, s.Kill(ctx(t), id), "bindtest: the harness cannot end a session")
}

// open opens an engine that the test's end closes.
func (s *suite) open(t *testing.T, name, uri string, opts ...binds.OpenOption) *binds.Engine {
	t.Helper()
	e, err := s.drivers.Open(ctx(t), name, uri, opts...)
	require.NoError(t, err)
	return closed(t, e)
}

func (s *suite) writer(t *testing.T, opts ...binds.OpenOption) *binds.Engine {
	t.Helper()
	return s.open(t, "bindtest/writer", s.Writer, opts...)
}

// A reader is a reader engine and where it reads.
type reader struct {
	*binds.Engine
	replica bool // on a server of its own, not beside the writer
}

// readers opens a reader beside the writer, where nothing but the belt stops a write, and one on
// each replica.
func (s *suite) readers(t *testing.T, w *binds.Engine, opts ...binds.OpenOption) []reader {
	t.Helper()
	opts = append(opts, binds.As(binds.Reader))
	rs := []reader{{Engine: closed(t, w.Sibling("bindtest/sibling", opts...))}}
	for i, uri := range s.Readers {
		rs = append(rs, reader{s.open(t, fmt.Sprintf("bindtest/reader-%d", i+1), uri, opts...), true})
	}
	return rs
}

func closed(t *testing.T, e *binds.Engine) *binds.Engine {
	t.Cleanup(func() { assert.NoError(t, e.Close()) })
	return e
}

func (s *suite) bun(e *binds.Engine) *bun.DB { return bun.NewDB(e.DB(), e.Driver().Dialect()) }

// table makes a table on w that the test's end drops.
func (s *suite) table(t *testing.T, w *binds.Engine, name, columns string) {
	t.Helper()
	drop := "DROP TABLE IF EXISTS " + name
	exec(t, w, drop, "CREATE TABLE "+name+" ("+columns+")")
	t.Cleanup(func() {
		_, err := w.DB().ExecContext(cleanupCtx(t), drop)
		assert.NoError(t, err, "the table cannot be dropped: the pool is out of order, or something still locks it")
	})
}

// exec runs statements that must succeed.
func exec(t *testing.T, e *binds.Engine, statements ...string) {
	t.Helper()
	for _, q := range statements {
		_, err := e.DB().ExecContext(ctx(t), q)
		require.NoError(t, err, q)
	}
}

// value runs a query of one value that must succeed.
func value(t *testing.T, e *binds.Engine, query string) string {
	t.Helper()
	var v sql.NullString
	require.NoError(t, e.DB().QueryRowContext(ctx(t), query).Scan(&v), query)
	return v.String
}

// works checks that a pool serves statements, many times over.
func works(t *testing.T, e *binds.Engine) {
	t.Helper()
	for range 100 {
		require.Equal(t, "1", value(t, e, "SELECT 1"))
	}
}

// eventually waits for a condition on the test's own goroutine, so that it may call require.
func (s *suite) eventually(t *testing.T, cond func() bool, what string) {
	t.Helper()
	end := time.Now().Add(patience)
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for !cond() {
		if time.Now().After(end) {
			require.Fail(t, "waited in vain", what)
		}
		<-tick.C
	}
}

// ctx bounds a test's statements, so that one that hangs fails instead.
func ctx(t *testing.T) context.Context {
	c, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return c
}

// cleanupCtx is a ctx that works in a cleanup too.
func cleanupCtx(t *testing.T) context.Context {
	c, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	t.Cleanup(cancel)
	return c
}
