package router_test

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/router"
	"github.com/bindery-go/bindery/router/routertest"
)

// addFunctions makes charge, which raises the value and returns it, and glance, which only reads.
func addFunctions(c *routertest.Cluster) {
	c.AddFunction("charge", "UPDATE counters SET value = value + 1 RETURNING value")
	c.AddFunction("glance", "SELECT value FROM counters")
}

// TestWhatAFunctionWrote calls a function that writes while the readers stand still: nobody reads what was before.
func TestWhatAFunctionWrote(t *testing.T) {
	scan := func(ctx context.Context, db bun.IDB) (v int64, err error) {
		return v, db.NewRaw("SELECT charge()").Scan(ctx, &v)
	}
	for name, call := range map[string]func(ctx context.Context, p *process) (int64, error){
		"a reader refuses it":       func(ctx context.Context, p *process) (int64, error) { return scan(ctx, p.db) },
		"no reader is fresh enough": func(ctx context.Context, p *process) (int64, error) { return scan(ctx, p.db) },
		"no reader is up":           func(ctx context.Context, p *process) (int64, error) { return scan(ctx, p.db) },
		"OnWriter":                  func(ctx context.Context, p *process) (int64, error) { return scan(router.OnWriter(ctx), p.db) },
		"Writer": func(ctx context.Context, p *process) (int64, error) {
			return scan(ctx, bun.NewDB(p.Writer().DB(), p.db.Dialect(), bun.WithConnResolver(p.WriterOnly())))
		},
		"InTx": func(ctx context.Context, p *process) (v int64, err error) {
			return v, p.InTx(ctx, router.TxOptions{}, func(ctx context.Context) error {
				v, err = scan(ctx, p.db)
				return err
			})
		},
		"RunInTx": func(ctx context.Context, p *process) (v int64, err error) {
			return v, p.db.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
				v, err = scan(ctx, tx)
				return err
			})
		},
		"QueryRowContext": func(ctx context.Context, p *process) (v int64, err error) {
			return v, p.db.DB.QueryRowContext(ctx, "SELECT charge()").Scan(&v)
		},
	} {
		for _, session := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/session=%v", name, session), func(t *testing.T) {
				inBubble(t, 2, nil, func(t *testing.T, p *process) {
					addFunctions(p.cluster)
					ctx := t.Context()
					if session {
						ctx = router.NewSession(ctx)
					}
					p.mustWrite(t, ctx, 100)
					time.Sleep(time.Minute)
					p.mustRead(t, router.OnReader(ctx))
					time.Sleep(time.Second)
					for _, r := range p.cluster.Replicas() {
						r.SetLag(time.Hour)
					}
					want := int64(101)
					switch name {
					case "no reader is fresh enough":
						p.mustWrite(t, ctx, 200)
						want = 201
					case "no reader is up":
						for _, r := range p.cluster.Replicas() {
							r.Down()
						}
					}
					got, err := call(ctx, p)
					require.NoError(t, err)
					require.Equal(t, want, got)
					for _, r := range p.cluster.Replicas() {
						r.Up()
					}
					time.Sleep(time.Second)
					value, engine := p.mustRead(t, ctx)
					assert.Equal(t, want, value, engine)
				})
			})
		}
	}
}

// TestFunctionsThatRead has a process call a function that only reads, a thousand times a second, while readers trail by a
// second and others write: once readers are good for such a read they stay so, however many the writer has served.
func TestFunctionsThatRead(t *testing.T) {
	inBubble(t, 2, nil, func(t *testing.T, p *process) {
		addFunctions(p.cluster)
		p.mustWrite(t, t.Context(), 1)
		for _, r := range p.cluster.Replicas() {
			r.SetLag(time.Second)
		}
		p.mustWrite(t, t.Context(), 2) // from here on readers are not good enough for a second
		other := newProcess(t, p.cluster, nil)
		fromReaders, all := 0, 0
		for i := range 5000 {
			if i%10 == 0 {
				other.mustWrite(t, t.Context(), int64(3+i))
			}
			ctx, route := router.Explain(t.Context())
			var value int64
			require.NoError(t, p.db.NewRaw("SELECT glance()").Scan(ctx, &value))
			require.GreaterOrEqual(t, value, int64(2))
			all++
			if strings.Contains(route.Engine(), "/reader-") {
				fromReaders++
			}
			time.Sleep(time.Millisecond)
		}
		t.Logf("%d of %d reads of a function from readers", fromReaders, all)
		assert.Greater(t, fromReaders, all/2)
		assert.Zero(t, p.Stats().Refused)
	})
}

// TestRowsOfAFunction reads in a session while the rows of a function, or a transaction in which one was called, are open on
// the writer: what they have shown to the session, it goes on to see.
func TestRowsOfAFunction(t *testing.T) {
	const call = "SELECT value FROM counters WHERE sqlite_source_id() <> ''" // no function that is known to be harmless
	for name, open := range map[string]func(ctx context.Context, p *process) (*sql.Rows, error){
		"a query": func(ctx context.Context, p *process) (*sql.Rows, error) {
			return p.db.DB.QueryContext(ctx, call)
		},
		"a prepared statement": func(ctx context.Context, p *process) (*sql.Rows, error) {
			stmt, err := p.db.DB.PrepareContext(ctx, call)
			if err != nil {
				return nil, err
			}
			t.Cleanup(func() { _ = stmt.Close() })
			return stmt.QueryContext(ctx)
		},
		"a transaction": func(ctx context.Context, p *process) (*sql.Rows, error) {
			tx, err := p.db.DB.BeginTx(ctx, nil)
			if err != nil {
				return nil, err
			}
			t.Cleanup(func() { _ = tx.Rollback() })
			return tx.QueryContext(ctx, call)
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, 2, nil, func(t *testing.T, p *process) {
				ctx, cancel := context.WithCancel(router.NewSession(t.Context()))
				defer cancel()
				p.mustWrite(t, t.Context(), 100)
				time.Sleep(time.Minute)
				p.mustRead(t, router.OnReader(ctx))
				time.Sleep(time.Second)
				for _, r := range p.cluster.Replicas() {
					r.SetLag(time.Hour)
				}
				newProcess(t, p.cluster, nil).mustWrite(t, t.Context(), 200)
				rows, err := open(ctx, p)
				require.NoError(t, err)
				defer func() { require.NoError(t, rows.Close()) }()
				require.True(t, rows.Next())
				var shown int64
				require.NoError(t, rows.Scan(&shown))
				require.EqualValues(t, 200, shown)
				value, engine := p.mustRead(t, ctx)
				assert.EqualValues(t, 200, value, engine)
			})
		})
	}
}

// TestACallIsNeverSentTwice lets the writer die under a function that may write: it is not sent again, whichever way it came.
// Were it refused, for want of the right to write, it is, as any write.
func TestACallIsNeverSentTwice(t *testing.T) {
	for name, call := range map[string]func(ctx context.Context, p *process) error{
		"OnWriter": func(ctx context.Context, p *process) error {
			return p.db.NewRaw("SELECT charge()").Scan(router.OnWriter(ctx), new(int64))
		},
		"Native": func(ctx context.Context, p *process) error {
			pool, err := p.Writer().Native()
			require.NoError(t, err)
			native := bun.NewDB(pool, p.db.Dialect(), bun.WithConnResolver(p.On(pool, router.NativeDB)))
			return native.NewRaw("SELECT charge()").Scan(ctx, new(int64))
		},
	} {
		for answer, want := range map[error]error{io.ErrUnexpectedEOF: router.ErrOutcomeUnknown, routertest.ErrReadOnly: nil} {
			t.Run(fmt.Sprintf("%s/%v", name, answer), func(t *testing.T) {
				inBubble(t, 1, nil, func(t *testing.T, p *process) {
					addFunctions(p.cluster)
					p.mustWrite(t, t.Context(), 1)
					primary, sent := p.cluster.Primary(), 0
					primary.FailStatements(func(query string) error {
						if !strings.Contains(query, "charge()") {
							return nil
						}
						if sent++; sent > 1 {
							return nil
						}
						primary.Down()
						time.AfterFunc(500*time.Millisecond, primary.Up)
						return answer
					})
					require.ErrorIs(t, call(t.Context(), p), want)
					calls := 1
					if want == nil {
						calls = 2
					}
					assert.Equal(t, calls, sent)
				})
			})
		}
	}
}

// TestAReadOnlyTransactionOfWhatAReaderRefused reads on the writer what no replica has, an unlogged table, say: the server
// tells what it refuses there.
func TestAReadOnlyTransactionOfWhatAReaderRefused(t *testing.T) {
	inBubble(t, 1, nil, func(t *testing.T, p *process) {
		p.mustWrite(t, t.Context(), 7)
		const read = "SELECT value FROM counters WHERE id = 1 AND 'unlogged' <> ''"
		p.cluster.Replicas()[0].FailNext(routertest.ErrReadOnly)
		var value int64
		require.NoError(t, p.db.NewRaw(read).Scan(router.OnReader(t.Context()), &value))
		require.EqualValues(t, 1, p.Stats().Refused)
		value = 0
		require.NoError(t, p.InTx(router.OnWriter(t.Context()), router.TxOptions{ReadOnly: true}, func(ctx context.Context) error {
			return p.db.NewRaw(read).Scan(ctx, &value)
		}))
		assert.EqualValues(t, 7, value)
		err := p.InTx(router.OnWriter(t.Context()), router.TxOptions{ReadOnly: true}, func(ctx context.Context) error {
			return p.db.NewRaw("UPDATE counters SET value = 8 RETURNING value").Scan(ctx, &value)
		})
		var refused *router.ReadOnlyTxError
		require.ErrorAs(t, err, &refused)
	})
}
