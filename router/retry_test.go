package router

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/internal/testlog"
	"github.com/bindery-go/bindery/router/sqlkind"
)

// readForms are the three ways in which a read leaves Bun.
var readForms = map[string]run{
	"query": selectItem,
	"exec":  raw("SELECT 1"),
	"queryRow": func(ctx context.Context, db *bun.DB) error {
		_, err := db.NewSelect().Model((*item)(nil)).Count(ctx)
		return err
	},
}

func TestReadMovesFromAReaderThatIsDown(t *testing.T) {
	for name, read := range readForms {
		t.Run(name, func(t *testing.T) {
			var log testlog.Buffer
			b := newBench(t, "shop", 2, func(c *Config) {
				c.Policy = new(RoundRobin)
				c.Logger = slog.New(slog.NewTextHandler(&log, nil))
			})
			b.driver.setDown("reader-1", true)
			ctx, route := Explain(t.Context())
			for range 4 {
				require.NoError(t, read(ctx, b.db))
				assert.Equal(t, "shop/reader-2", route.Engine())
				assert.Equal(t, PlainRead, route.Reason())
			}
			b.driver.setDown("reader-1", false)
			require.Eventually(t, func() bool {
				require.NoError(t, read(ctx, b.db))
				return route.Engine() == "shop/reader-1"
			}, 10*time.Second, time.Millisecond, "it serves again when it is back")
			b.Close()
			assert.Contains(t, log.String(), `msg="reader is down: its reads go elsewhere" engine=shop/reader-1`)
			assert.Contains(t, log.String(), `msg="reader is back" engine=shop/reader-1`)
		})
	}
}

func TestAllReadersDown(t *testing.T) {
	for name, read := range readForms {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, "shop", 2, nil)
			b.driver.setDown("reader-1", true)
			b.driver.setDown("reader-2", true)
			ctx, route := Explain(t.Context())
			require.NoError(t, read(ctx, b.db), "the writer serves")
			assert.Equal(t, writer, route.Engine())
			assert.Equal(t, ReadersDown, route.Reason())
			var none *NoReaderError
			require.ErrorAs(t, read(ctx, b.on(b.ReaderOnly())), &none, "Reader() never reaches the writer")

			strict := newBench(t, "shop", 2, func(c *Config) { c.NoFallback = true })
			strict.driver.setDown("reader-1", true)
			strict.driver.setDown("reader-2", true)
			err := read(t.Context(), strict.db)
			require.ErrorIs(t, err, ErrNoReader)
			require.ErrorIs(t, err, errRefused, "the cause is told")
			assert.Empty(t, strict.driver.servers())

			b.driver.setDown("writer", true)
			short, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			defer cancel()
			err = read(short, b.db)
			require.ErrorIs(t, err, ErrNoWriter)
			require.ErrorIs(t, err, errRefused, "the cause is told")
			for _, r := range append(b.Readers(), strict.Readers()...) {
				assert.Zero(t, r.InFlight(), "every read is accounted for")
			}
		})
	}
}

// TestAnUnreachableWriterAtTheDeadline has the caller's time end while the writer refuses the connection.
func TestAnUnreachableWriterAtTheDeadline(t *testing.T) {
	b := newBench(t, "shop", 0, nil)
	f := failures{c: b.routed.ResolveConn(t.Context(), b.db.NewInsert().Model(new(item))).(*Conn), s: &emptyScope}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	refused := &binds.ConnectError{Engine: writer, Err: errRefused}
	for reason, row := range map[string]struct {
		ctx  context.Context
		err  error
		none bool
	}{
		"it refused":                  {canceled, refused, true},
		"it refused, at the deadline": {late, refused, true},
		"it was silent":               {late, &binds.ConnectError{Engine: writer, Err: context.DeadlineExceeded}, true},
		"the caller's own doing":      {canceled, &binds.ConnectError{Engine: writer, Err: context.Canceled}, false},
		"the wait for a connection":   {late, context.DeadlineExceeded, false},
		"the end of such a wait":      {canceled, context.Canceled, false},
		"a statement that was sent":   {late, fmt.Errorf("driver: %w", context.DeadlineExceeded), false},
	} {
		next, err := f.after(row.ctx, route{}, row.err)
		assert.Equal(t, reason == "a statement that was sent", errors.Is(err, ErrOutcomeUnknown), reason)
		assert.Nil(t, next, reason)
		assert.Equal(t, row.none, errors.Is(err, ErrNoWriter), reason)
		require.ErrorIs(t, err, row.err, reason)
	}
}

// TestAQuestionBeforeTheRead breaks the connection by which it is asked whether the writer shows what a session has seen: the
// read was not sent, and is not to blame.
func TestAQuestionBeforeTheRead(t *testing.T) {
	b := newBench(t, "shop", 0, nil)
	f := failures{c: b.routed.ResolveConn(t.Context(), b.db.NewSelect().Model(new(item))).(*Conn), s: &emptyScope, began: time.Now()}
	to := route{kind: sqlkind.Read, reason: HintWriter}
	for _, broken := range []error{io.ErrUnexpectedEOF, errFakeConflict, io.ErrUnexpectedEOF} {
		next, err := f.after(t.Context(), to, &WriterBehindError{Engine: writer, Err: broken})
		require.NoError(t, err)
		require.Equal(t, to, *next)
	}
	for _, late := range []error{nil, overdue(t.Context(), errSilent)} {
		next, err := f.after(t.Context(), to, &WriterBehindError{Engine: writer, Err: late})
		var behind *WriterBehindError
		require.ErrorAs(t, err, &behind)
		require.NotErrorIs(t, err, ErrNoWriter)
		require.Nil(t, next, "it has waited as long as it may")
	}
}

// TestTheLastAttemptIsCutShort has the wait for a primary end in the middle of an attempt to connect: what was found out before is
// what the caller needs to know.
func TestTheLastAttemptIsCutShort(t *testing.T) {
	b := newBench(t, "shop", 0, nil)
	f := failures{c: b.routed.ResolveConn(t.Context(), b.db.NewInsert().Model(new(item))).(*Conn), s: &emptyScope, began: time.Now()}
	next, err := f.after(t.Context(), route{}, &binds.ConnectError{Engine: writer, Err: ErrWriterIsReplica})
	require.NoError(t, err)
	require.NotNil(t, next)
	f.began = f.began.Add(-patience)
	_, err = f.after(t.Context(), route{}, &binds.ConnectError{Engine: writer, Err: context.DeadlineExceeded})
	var gone *UnavailableError
	require.ErrorAs(t, err, &gone)
	assert.True(t, gone.ReadOnly)
	require.ErrorIs(t, err, ErrWriterIsReplica)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestWhatIsNotRetried(t *testing.T) {
	b := newBench(t, "shop", 2, nil)
	refused := errors.New("no such column")
	b.driver.setError("reader-1", refused)
	b.driver.setError("reader-2", refused)
	for name, read := range readForms {
		require.ErrorIs(t, read(t.Context(), b.db), refused, name)
		assert.Len(t, b.driver.servers(), 1, "an answer is an answer, also an error: %s", name)
	}
	b.driver.setDown("writer", true)
	short, stop := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer stop()
	require.ErrorIs(t, insertItem(short, b.db), ErrNoWriter)
	assert.Empty(t, b.driver.servers(), "a write has nowhere else to go")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, read := range readForms {
		require.ErrorIs(t, read(ctx, b.db), context.Canceled, name)
	}
	assert.Empty(t, b.driver.servers(), "nobody waits for the answer any more")
	for _, r := range b.Readers() {
		assert.Zero(t, r.InFlight())
	}
}

func TestConnectReader(t *testing.T) {
	b := newBench(t, "shop", 2, func(c *Config) { c.Policy = new(RoundRobin) })
	b.driver.setDown("reader-1", true)
	for range 3 {
		conn, err := b.ConnectReader(t.Context())
		require.NoError(t, err)
		assert.Equal(t, "reader-2", conn.(*watchedConn).inner.(*fakeConn).server)
		require.NoError(t, conn.Close())
	}
	b.driver.setDown("reader-2", true)
	_, err := b.ConnectReader(t.Context())
	require.ErrorIs(t, err, ErrNoReader)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = b.ConnectReader(ctx)
	require.ErrorIs(t, err, context.Canceled)
}

// A caller who gave up while the reader was being dialled says nothing about the reader.
func TestGivingUpIsNotTheReadersFault(t *testing.T) {
	var log testlog.Buffer
	b := newBench(t, "shop", 2, func(c *Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	b.driver.setHanging("reader-1", true)
	b.driver.setHanging("reader-2", true)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(time.Millisecond, cancel)
	require.ErrorIs(t, selectItem(ctx, b.db), context.Canceled)
	assert.Empty(t, log.String())
	for _, r := range b.Readers() {
		assert.Less(t, r.Latency(), failureLatency, "it is not marked down")
	}
}

// A reader that refuses connections answers fast: it must not look like the least loaded one.
func TestAFailedReaderLooksLoaded(t *testing.T) {
	b := newBench(t, "shop", 2, func(c *Config) { c.Policy = new(RoundRobin) })
	b.Start(t.Context()) // so that the monitor has no reason to be the one who finds out
	b.driver.setDown("reader-1", true)
	require.NoError(t, selectItem(t.Context(), b.db))
	require.NoError(t, selectItem(t.Context(), b.db))
	assert.Equal(t, failureLatency, b.Readers()[0].Latency())
	assert.Less(t, b.Readers()[1].Latency(), failureLatency)
}
