package integration_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/internal/teston"
	"github.com/bindery-go/bindery/router"
)

// What the tests of this file call the error of a statement.
const (
	isDone       = "done"
	isUnknown    = "outcome unknown"
	isRolledBack = "rolled back"
	isNotSent    = "not sent"
	isNoWriter   = "no writer"
	isContexts   = "the context's own"
	isOther      = "another error"
)

// becameOf names what an error says. Nothing is two of them.
func becameOf(err error) string {
	var aborted *router.TxAbortedError
	var unsent *router.NotSentError
	switch {
	case err == nil:
		return isDone
	case errors.Is(err, router.ErrOutcomeUnknown):
		return isUnknown
	case errors.As(err, &aborted):
		return isRolledBack
	case errors.Is(err, router.ErrNoWriter):
		return isNoWriter
	case errors.As(err, &unsent):
		return isNotSent
	case err == context.Canceled, err == context.DeadlineExceeded:
		return isContexts
	}
	return isOther
}

// A lane is a way to run a transaction: it runs body in one, and commits unless body returns an error.
type lane struct {
	name string
	run  func(t *testing.T, b *bench, ctx context.Context, body func(x *inLane) error) error
}

// inLane runs statements in a lane's transaction.
type inLane struct {
	ctx      context.Context
	do       func(ctx context.Context, query string) error
	ask      func(query string) (answer string)
	prepared func(ctx context.Context) error // a write that was prepared when the transaction began
	nested   func(ctx context.Context) error // an empty savepoint
}

const insertItem = "INSERT INTO items (name, server) VALUES ('outcome', 0)"

func lanes() []lane {
	onTx := func(t *testing.T, ctx context.Context, tx *sql.Tx, do func(ctx context.Context, query string) error, nested func(ctx context.Context) error, body func(x *inLane) error) error {
		stmt, err := tx.PrepareContext(ctx, insertItem)
		require.NoError(t, err)
		defer func() { _ = stmt.Close() }() // with its session
		x := &inLane{ctx: ctx, do: do, nested: nested}
		x.ask = func(query string) (answer string) {
			require.NoError(t, tx.QueryRowContext(ctx, query).Scan(&answer))
			return answer
		}
		x.prepared = func(ctx context.Context) error {
			_, err := stmt.ExecContext(ctx)
			return err
		}
		if err := body(x); err != nil {
			return errors.Join(err, tx.Rollback())
		}
		return tx.Commit()
	}
	return []lane{
		{"InTx", func(t *testing.T, b *bench, ctx context.Context, body func(x *inLane) error) error {
			return b.InTx(ctx, shop{}, func(ctx context.Context) error {
				x := &inLane{ctx: ctx}
				x.do = func(ctx context.Context, query string) error {
					_, err := b.NewRaw(shop{}, query).Exec(ctx)
					return err
				}
				x.ask = func(query string) (answer string) {
					require.NoError(t, b.NewRaw(shop{}, query).Scan(ctx, &answer))
					return answer
				}
				x.prepared = func(ctx context.Context) error { return b.add(ctx, "outcome") } // InTx has no prepared statements
				x.nested = func(ctx context.Context) error {
					return b.InTx(ctx, shop{}, func(context.Context) error { return nil })
				}
				return body(x)
			})
		}},
		{"bun.Tx", func(t *testing.T, b *bench, ctx context.Context, body func(x *inLane) error) error {
			tx, err := b.bind(t).DB().BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			do := func(ctx context.Context, query string) error {
				_, err := tx.ExecContext(ctx, query)
				return err
			}
			nested := func(ctx context.Context) error {
				in, err := tx.BeginTx(ctx, nil)
				if err != nil {
					return err
				}
				return in.Commit()
			}
			return onTx(t, ctx, tx.Tx, do, nested, body)
		}},
		{"sql.Tx", func(t *testing.T, b *bench, ctx context.Context, body func(x *inLane) error) error {
			tx, err := b.bind(t).WriterEngine().DB().BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			do := func(ctx context.Context, query string) error {
				_, err := tx.ExecContext(ctx, query)
				return err
			}
			return onTx(t, ctx, tx, do, func(ctx context.Context) error { return do(ctx, "SAVEPOINT a") }, body)
		}},
	}
}

// onForwarder runs a test on each kind of server, with a forwarder before the shop's writer.
func onForwarder(t *testing.T, settings string, test func(t *testing.T, b *bench, f *forwarder)) {
	t.Helper()
	for _, k := range serverKinds() {
		t.Run(k.name, func(t *testing.T) {
			b := &bench{kind: k}
			_, _, b.cluster = k.uris(t)
			f := newForwarder(t, b.cluster.Primary.Addr())
			b.DBManager = openManager(t, config(map[string]string{"shop": f.uri(b.cluster.Primary)}, nil, settings))
			_, err := b.NewCreateTable((*item)(nil)).Exec(t.Context())
			require.NoError(t, err)
			test(t, b, f)
		})
	}
}

// losses are the ways in which a transaction's session ends while no statement runs.
func losses(b *bench, f *forwarder) map[string]func(t *testing.T, x *inLane) {
	family := inMySQLFamily(b.kind.name)
	id, kill, live := "SELECT pg_backend_pid()::text", "SELECT pg_terminate_backend(%s)", "SELECT count(*) FROM pg_stat_activity WHERE pid = %s"
	if family {
		id, kill, live = "SELECT CAST(CONNECTION_ID() AS CHAR)", "KILL %s", "SELECT COUNT(*) FROM information_schema.processlist WHERE id = %s"
	}
	gone := func(t *testing.T, session string, before int) {
		t.Helper()
		require.Eventually(t, func() bool { return f.ends() < before }, waitFor, tick, "this side hears of it")
		require.Eventually(t, func() bool {
			n, err := b.cluster.Primary.QueryString(t.Context(), fmt.Sprintf(live, session))
			return err == nil && n == "0"
		}, waitFor, tick, "the session ends")
	}
	limit := func(set string) func(t *testing.T, x *inLane) {
		return func(t *testing.T, x *inLane) {
			session := x.ask(id)
			before := f.ends()
			require.NoError(t, x.do(x.ctx, set))
			gone(t, session, before)
		}
	}
	all := map[string]func(t *testing.T, x *inLane){
		"killed": func(t *testing.T, x *inLane) {
			session, before := x.ask(id), f.ends()
			require.NoError(t, b.cluster.Primary.Exec(t.Context(), fmt.Sprintf(kill, session)))
			gone(t, session, before)
		},
		"network": func(t *testing.T, x *inLane) {
			session, before := x.ask(id), f.ends()
			f.cut()
			gone(t, session, before)
		},
	}
	v := b.cluster.Primary.Version()
	switch {
	case !family:
		all["idle in transaction"] = limit("SET LOCAL idle_in_transaction_session_timeout = 30")
		if v.AtLeast("PostgreSQL", 17) {
			all["transaction timeout"] = limit("SET LOCAL transaction_timeout = 100")
		}
	default:
		all["wait_timeout"] = limit("SET SESSION wait_timeout = 1")
		if v.Product == "MariaDB" {
			all["idle_transaction_timeout"] = limit("SET SESSION idle_transaction_timeout = 1")
		}
	}
	return all
}

// TestSessionLostInTransaction ends a transaction's session between two of its statements, in each way that there is, and
// goes on: nothing that follows was sent to anybody, so nothing is said to be unknown.
func TestSessionLostInTransaction(t *testing.T) {
	next := map[string]func(x *inLane) error{
		"COMMIT":    nil,
		"read":      func(x *inLane) error { return x.do(x.ctx, "SELECT 1") },
		"write":     func(x *inLane) error { return x.do(x.ctx, insertItem) },
		"prepared":  func(x *inLane) error { return x.prepared(x.ctx) },
		"savepoint": func(x *inLane) error { return x.nested(x.ctx) },
	}
	onForwarder(t, "", func(t *testing.T, b *bench, f *forwarder) {
		for how, lose := range losses(b, f) {
			for _, by := range lanes() {
				for what, run := range next {
					if strings.HasSuffix(how, "_timeout") && what != "COMMIT" && what != "write" { // which last a second
						continue
					}
					t.Run(strings.Join([]string{how, by.name, what}, "/"), func(t *testing.T) {
						before := b.bind(t).Stats().Unknown
						err := by.run(t, b, t.Context(), func(x *inLane) error {
							require.NoError(t, x.do(x.ctx, insertItem))
							lose(t, x)
							if run != nil {
								err := run(x)
								t.Log("statement:", err)
								assert.Contains(t, []string{isNotSent, isOther}, becameOf(err), "%v", err)
							}
							return nil
						})
						t.Log("COMMIT:", err)
						assert.Equal(t, isRolledBack, becameOf(err), "%v", err)
						assert.Equal(t, before, b.bind(t).Stats().Unknown)
						assert.Zero(t, b.rowsOf(t.Context(), t, "name = 'outcome'"))
					})
				}
				t.Run(how+"/"+by.name+"/ROLLBACK", func(t *testing.T) {
					err := by.run(t, b, t.Context(), func(x *inLane) error {
						require.NoError(t, x.do(x.ctx, insertItem))
						lose(t, x)
						return errNo
					})
					require.ErrorIs(t, err, errNo)
					assert.NotErrorIs(t, err, router.ErrOutcomeUnknown)
				})
			}
		}
	})
}

// TestWriteWithoutAnswer breaks the connection under a write, before the server has it and after it was done there: to the caller
// it is the same, and counts once. In a transaction nothing of it is left.
func TestWriteWithoutAnswer(t *testing.T) {
	onCutter(t, func(t *testing.T, b *bench, p *commitCutter) {
		p.at.Store("cut here")
		pool := b.bind(t).WriterEngine().DB()
		hold := "?"
		if b.kind.name == teston.Postgres {
			hold = "$1"
		}
		insert := "INSERT INTO items (name, server) VALUES ('cut here', 0)"
		do := func(db interface {
			ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
		}) error {
			_, err := db.ExecContext(t.Context(), insert)
			return err
		}
		for what, run := range map[string]func() error{
			"builder": func() error { return b.add(t.Context(), "cut here") },
			"native": func() error {
				_, err := b.bind(t).Native().NewInsert().Model(&item{Name: "cut here"}).Exec(t.Context())
				return err
			},
			"plain": func() error { return do(pool) },
			"rows": func() error { // Bun sends this one as a query
				_, err := b.NewRaw(shop{}, insert).Exec(t.Context(), new(item))
				return err
			},
			"prepared": func() error {
				stmt, err := pool.PrepareContext(t.Context(), "INSERT INTO items (name, server) VALUES ("+hold+", 0)")
				require.NoError(t, err)
				defer func() { _ = stmt.Close() }() // with its session
				_, err = stmt.ExecContext(t.Context(), "cut here")
				return err
			},
			"Conn": func() error {
				conn, err := pool.Conn(t.Context())
				require.NoError(t, err)
				defer func() { _ = conn.Close() }()
				_, err = conn.ExecContext(t.Context(), "DELETE FROM items WHERE name = 'nobody'")
				require.NoError(t, err)
				return do(conn)
			},
		} {
			for cut, rows := range map[int32]int64{1: 0, 2: 1} {
				t.Run(fmt.Sprint(what, cut), func(t *testing.T) {
					before := b.bind(t).Stats().Unknown
					p.cut.Store(cut)
					err := run()
					t.Log(err)
					assert.Equal(t, isUnknown, becameOf(err), "%v", err)
					assert.Equal(t, before+1, b.bind(t).Stats().Unknown)
					assert.Equal(t, rows, b.rowsOf(t.Context(), t, "name LIKE 'cut%'"))
					_, err = b.NewDelete((*item)(nil)).Where("1 = 1").Exec(t.Context())
					require.NoError(t, err)
				})
			}
		}
		for _, by := range lanes() {
			for _, cut := range []int32{1, 2} {
				t.Run(fmt.Sprint(by.name, cut), func(t *testing.T) {
					before := b.bind(t).Stats().Unknown
					err := by.run(t, b, t.Context(), func(x *inLane) error {
						p.cut.Store(cut)
						err := x.do(x.ctx, insert)
						t.Log(err)
						assert.Equal(t, isOther, becameOf(err), "%v", err)
						return nil
					})
					t.Log(err)
					assert.Equal(t, isRolledBack, becameOf(err), "%v", err)
					assert.Equal(t, before, b.bind(t).Stats().Unknown)
					assert.Zero(t, b.rowsOf(t.Context(), t, "name LIKE 'cut%'"))
				})
			}
			t.Run(by.name+" COMMIT", func(t *testing.T) {
				p.at.Store("COMMIT")
				defer p.at.Store("cut here")
				for cut, rows := range map[int32]int64{1: 0, 2: 1} {
					before := b.bind(t).Stats().Unknown
					err := by.run(t, b, t.Context(), func(x *inLane) error {
						require.NoError(t, x.do(x.ctx, insertItem))
						p.cut.Store(cut)
						return nil
					})
					assert.Equal(t, isUnknown, becameOf(err), "%v", err)
					assert.Equal(t, before+1, b.bind(t).Stats().Unknown)
					assert.Equal(t, rows, b.rowsOf(t.Context(), t, "name = 'outcome'"))
					_, err = b.NewDelete((*item)(nil)).Where("1 = 1").Exec(t.Context())
					require.NoError(t, err)
				}
			})
		}
	})
}

// TestStatementGivenUpInTransaction has the context of one statement end in a transaction that goes on: what was given up is
// the statement, and with it on these servers the transaction.
func TestStatementGivenUpInTransaction(t *testing.T) {
	for _, k := range serverKinds() {
		t.Run(k.name, func(t *testing.T) {
			b := newBench(t, k)
			slow := "INSERT INTO items (name, server) SELECT 'outcome', count(*) FROM (SELECT pg_sleep(600)) AS s"
			if inMySQLFamily(k.name) {
				slow = "INSERT INTO items (name, server) SELECT 'outcome', SLEEP(600)"
			}
			for _, by := range lanes() {
				t.Run(by.name, func(t *testing.T) {
					err := by.run(t, b, t.Context(), func(x *inLane) error {
						require.NoError(t, x.do(x.ctx, insertItem))
						short, cancel := context.WithTimeout(x.ctx, 30*time.Millisecond)
						defer cancel()
						err := x.do(short, slow)
						t.Log(err)
						require.ErrorIs(t, err, context.DeadlineExceeded)
						assert.Equal(t, isOther, strings.Replace(becameOf(err), isContexts, isOther, 1), "%v", err)
						return nil
					})
					t.Log(err)
					assert.Equal(t, isRolledBack, becameOf(err), "%v", err)
					assert.Zero(t, b.bind(t).Stats().Unknown)
					assert.Zero(t, b.rowsOf(t.Context(), t, "name = 'outcome'"))
				})
			}
		})
	}
}

// TestOuterContext gives a query inside InTx the outer context, where the pool has no other connection.
func TestOuterContext(t *testing.T) {
	for _, k := range kinds() {
		t.Run(k.name, func(t *testing.T) {
			b := &bench{kind: k}
			writer, readers, _ := k.uris(t)
			b.DBManager = openManager(t, config(map[string]string{"shop": writer}, readers, "pool = { max_open = 1 }"))
			_, err := b.NewCreateTable((*item)(nil)).Exec(t.Context())
			require.NoError(t, err)
			short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			for _, outer := range []context.Context{t.Context(), short} { // of the transaction; the query's own is short
				err = b.InTx(outer, shop{}, func(ctx context.Context) error {
					require.NoError(t, b.add(ctx, "outcome"))
					return b.add(short, "outcome")
				})
				var unsent *router.NotSentError
				require.ErrorAs(t, err, &unsent)
				assert.Equal(t, router.NotSentError{Engine: "shop/writer", Err: context.DeadlineExceeded, InUse: 1, MaxOpen: 1, InTx: 1}, *unsent)
				short, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
				defer cancel()
			}
			assert.Zero(t, b.rowsOf(t.Context(), t, "1 = 1"))
		})
	}
}

// TestContextEndedBefore uses a context that has ended.
func TestContextEndedBefore(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bench) {
		over, cancel := context.WithCancel(t.Context())
		cancel()
		late, stop := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
		defer stop()
		before := b.bind(t).Stats().Unknown
		db, pool := b.bind(t).DB(), b.bind(t).WriterEngine().DB()
		stmt, err := pool.PrepareContext(t.Context(), insertItem)
		require.NoError(t, err)
		defer func() { require.NoError(t, stmt.Close()) }()
		for _, ctx := range []context.Context{over, late} {
			for what, run := range map[string]func() error{
				"read":    func() error { return b.NewSelect(new(item)).Limit(1).Scan(ctx) },
				"builder": func() error { return b.add(ctx, "outcome") },
				"native": func() error {
					_, err := b.bind(t).Native().NewInsert().Model(&item{Name: "outcome"}).Exec(ctx)
					return err
				},
				"InTx":     func() error { return b.InTx(ctx, shop{}, func(context.Context) error { return nil }) },
				"plain":    func() error { _, err := db.ExecContext(ctx, insertItem); return err },
				"bun.Tx":   func() error { _, err := db.BeginTx(ctx, nil); return err },
				"prepared": func() error { _, err := stmt.ExecContext(ctx); return err },
				"Conn": func() error {
					conn, err := pool.Conn(t.Context())
					require.NoError(t, err)
					defer func() { require.NoError(t, conn.Close()) }()
					_, err = conn.ExecContext(ctx, insertItem)
					return err
				},
				"Conn's query": func() error {
					conn, err := pool.Conn(t.Context())
					require.NoError(t, err)
					defer func() { require.NoError(t, conn.Close()) }()
					_, err = conn.QueryContext(ctx, insertItem)
					return err
				},
				"Conn's BEGIN": func() error {
					conn, err := pool.Conn(t.Context())
					require.NoError(t, err)
					defer func() { require.NoError(t, conn.Close()) }()
					_, err = conn.BeginTx(ctx, nil)
					return err
				},
			} {
				t.Run(what, func(t *testing.T) {
					err := run()
					t.Log(err)
					require.ErrorIs(t, err, ctx.Err())
					assert.Contains(t, []string{isNotSent, isContexts}, becameOf(err))
				})
			}
			for _, by := range lanes() {
				for what, run := range map[string]func(x *inLane, ctx context.Context) error{
					"write":     func(x *inLane, ctx context.Context) error { return x.do(ctx, insertItem) },
					"prepared":  func(x *inLane, ctx context.Context) error { return x.prepared(ctx) },
					"savepoint": func(x *inLane, ctx context.Context) error { return x.nested(ctx) },
				} {
					t.Run(by.name+"/"+what, func(t *testing.T) {
						err := by.run(t, b, t.Context(), func(x *inLane) error {
							late, stop := context.WithDeadline(x.ctx, time.Now().Add(-time.Second))
							defer stop()
							if ctx.Err() == context.Canceled {
								var cancel context.CancelFunc
								late, cancel = context.WithCancel(x.ctx)
								cancel()
							}
							err := run(x, late)
							t.Log(err)
							require.ErrorIs(t, err, ctx.Err())
							assert.Contains(t, []string{isNotSent, isContexts}, becameOf(err))
							return x.do(x.ctx, insertItem)
						})
						require.NoError(t, err, "the transaction goes on")
						_, err = b.NewDelete((*item)(nil)).Where("1 = 1").Exec(t.Context())
						require.NoError(t, err)
					})
				}
				t.Run(by.name+"/COMMIT", func(t *testing.T) {
					ctx, cancel := context.WithCancel(t.Context())
					err := by.run(t, b, ctx, func(x *inLane) error {
						require.NoError(t, x.do(x.ctx, insertItem))
						cancel()
						return nil
					})
					t.Log(err)
					assert.NotEqual(t, isUnknown, becameOf(err))
					require.Error(t, err)
					assert.Zero(t, b.rowsOf(t.Context(), t, "name = 'outcome'"))
				})
			}
		}
		assert.Equal(t, before, b.bind(t).Stats().Unknown)
		assert.Zero(t, b.rowsOf(t.Context(), t, "name = 'outcome'"))
	})
}

// TestWaitForPool has deadlines pass while all connections of a pool are in use.
func TestWaitForPool(t *testing.T) {
	for _, k := range kinds() {
		t.Run(k.name, func(t *testing.T) {
			b := &bench{kind: k}
			writer, readers, _ := k.uris(t)
			b.DBManager = openManager(t, config(map[string]string{"shop": writer}, readers, "pool = { max_open = 2 }"))
			_, err := b.NewCreateTable((*item)(nil)).Exec(t.Context())
			require.NoError(t, err)
			pool := b.bind(t).WriterEngine().DB()
			stmt, err := pool.PrepareContext(t.Context(), insertItem)
			require.NoError(t, err)
			defer func() { require.NoError(t, stmt.Close()) }()
			hold := func(db *sql.DB, n int) {
				for range n {
					conn, err := db.Conn(t.Context())
					require.NoError(t, err)
					t.Cleanup(func() { require.NoError(t, conn.Close()) })
				}
			}
			hold(pool, b.bind(t).WriterEngine().Pool().MaxOpen)
			hold(b.bind(t).Native().DB, b.bind(t).WriterEngine().Pool().MaxOpen)
			for _, r := range b.bind(t).ReaderEngines() {
				hold(r.DB(), 2)
			}
			ctxs := map[string]func() (context.Context, context.CancelFunc){
				"deadline": func() (context.Context, context.CancelFunc) {
					return context.WithTimeout(t.Context(), 20*time.Millisecond)
				},
				"cancel": func() (context.Context, context.CancelFunc) {
					ctx, cancel := context.WithCancel(t.Context())
					time.AfterFunc(20*time.Millisecond, cancel)
					return ctx, cancel
				},
			}
			for how, with := range ctxs {
				for what, run := range map[string]func(ctx context.Context) error{
					"read on reader": func(ctx context.Context) error {
						return b.NewSelect(new(item)).Limit(1).Scan(router.OnReader(ctx))
					},
					"read on writer": func(ctx context.Context) error {
						return b.NewSelect(new(item)).Limit(1).Scan(router.OnWriter(ctx))
					},
					"builder": func(ctx context.Context) error { return b.add(ctx, "outcome") },
					"native": func(ctx context.Context) error {
						_, err := b.bind(t).Native().NewInsert().Model(&item{Name: "outcome"}).Exec(ctx)
						return err
					},
					"InTx": func(ctx context.Context) error {
						return b.InTx(ctx, shop{}, func(context.Context) error { return nil })
					},
					"plain":    func(ctx context.Context) error { _, err := b.bind(t).DB().ExecContext(ctx, insertItem); return err },
					"bun.Tx":   func(ctx context.Context) error { _, err := b.bind(t).DB().BeginTx(ctx, nil); return err },
					"prepared": func(ctx context.Context) error { _, err := stmt.ExecContext(ctx); return err },
				} {
					t.Run(how+"/"+what, func(t *testing.T) {
						ctx, cancel := with()
						defer cancel()
						err := run(ctx)
						t.Log(err)
						require.ErrorIs(t, err, ctx.Err())
						switch what {
						case "plain", "bun.Tx", "prepared": // database/sql's own word: nothing of ours sees it
							assert.Equal(t, isContexts, becameOf(err))
							return
						}
						var unsent *router.NotSentError
						require.ErrorAs(t, err, &unsent)
						engine, full := b.bind(t).WriterEngine(), 2
						if what == "read on reader" {
							assert.Contains(t, unsent.Engine, "shop/reader-")
						} else {
							assert.Equal(t, engine.Name(), unsent.Engine)
							full = engine.Pool().MaxOpen
						}
						assert.Equal(t, [2]int{full, full}, [2]int{unsent.InUse, unsent.MaxOpen})
					})
				}
			}
			assert.Zero(t, b.bind(t).Stats().Unknown)
		})
	}
}
