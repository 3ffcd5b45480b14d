package integration_test

import (
	"context"
	"database/sql"
	"errors"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/internal/teston"
	"github.com/bindery-go/bindery/manager"
	"github.com/bindery-go/bindery/router"
)

// seen is what a hook was told of a statement.
type seen struct {
	Query, Template, Operation string
	Builder                    bool // it is a builder's
	Err                        error
	Parent                     string // the statement in whose context it ran
}

// A witness is a query hook that keeps what it was told.
type witness struct {
	mu   sync.Mutex // guards the rest
	list []seen
}

type spanKey struct{}

func (w *witness) BeforeQuery(ctx context.Context, e *bun.QueryEvent) context.Context {
	if e.Stash == nil {
		e.Stash = map[any]any{}
	}
	e.Stash[w], _ = ctx.Value(spanKey{}).(string)
	return context.WithValue(ctx, spanKey{}, plainText(e.Query))
}

var savepointName = regexp.MustCompile("(SAVEPOINT )[`\"]?[A-Za-z]\\w*[`\"]?$")

// plainText is a statement without what differs from run to run.
func plainText(query string) string {
	if word, _, _ := strings.Cut(query, " "); word == "INSERT" || word == "SELECT" {
		return word
	}
	return savepointName.ReplaceAllString(query, "${1}x")
}

func (w *witness) AfterQuery(ctx context.Context, e *bun.QueryEvent) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := seen{Query: plainText(e.Query), Template: plainText(e.QueryTemplate), Operation: e.Operation(), Builder: e.IQuery != nil, Err: e.Err}
	s.Parent, _ = e.Stash[w].(string)
	if e.StartTime.IsZero() || time.Since(e.StartTime) < 0 || ctx.Value(spanKey{}) != s.Query {
		s.Query += " WITHOUT ITS TIME OR CONTEXT"
	}
	w.list = append(w.list, s)
}

func (w *witness) take() []seen {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := w.list
	w.list = nil
	return list
}

// queries are the texts alone.
func (w *witness) queries() []string {
	var qs []string
	for _, s := range w.take() {
		qs = append(qs, s.Query)
	}
	return qs
}

// TestTransactionsReachHooks runs the same work by InTx and by Bun's own RunInTx: hooks are told the same.
func TestTransactionsReachHooks(t *testing.T) {
	for _, k := range kinds() {
		t.Run(k.name, func(t *testing.T) {
			b, w := &bench{kind: k}, new(witness)
			writer, readers, cluster := k.uris(t)
			other := strings.Replace(writer, "app.db", "audit.db", 1)
			b.cluster = cluster
			b.DBManager = openManager(t, config(map[string]string{"shop": writer, "audit": other}, readers, ""), manager.WithQueryHook(w))
			for _, model := range []any{(*item)(nil), (*note)(nil)} {
				_, err := b.NewCreateTable(model).Exec(t.Context())
				require.NoError(t, err)
			}
			b.sync(t)
			testHooksAsBuns(t, b, w)
			testHooksOfOurs(t, b, w)
		})
	}
}

// runner runs fn in a transaction, and gives it the context and the DB to use.
type runner func(ctx context.Context, fn func(ctx context.Context, db bun.IDB, nested runner) error) error

func testHooksAsBuns(t *testing.T, b *bench, w *witness) {
	var ours runner
	ours = func(ctx context.Context, fn func(context.Context, bun.IDB, runner) error) error {
		return b.InTx(ctx, shop{}, func(ctx context.Context) error { return fn(ctx, b.bind(t).DB(), ours) })
	}
	var bunsOn func(db bun.IDB) runner
	bunsOn = func(db bun.IDB) runner {
		return func(ctx context.Context, fn func(context.Context, bun.IDB, runner) error) error {
			return db.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error { return fn(ctx, tx, bunsOn(tx)) })
		}
	}
	add := func(ctx context.Context, db bun.IDB) error {
		_, err := db.NewInsert().Model(&item{Name: "hooks"}).Exec(ctx)
		return err
	}
	works := map[string]func(t *testing.T, run runner) error{
		"commit": func(t *testing.T, run runner) error {
			return run(t.Context(), func(ctx context.Context, db bun.IDB, _ runner) error { return add(ctx, db) })
		},
		"an error": func(t *testing.T, run runner) error {
			return run(t.Context(), func(ctx context.Context, db bun.IDB, _ runner) error {
				require.NoError(t, add(ctx, db))
				return errNo
			})
		},
		"a panic": func(t *testing.T, run runner) error {
			defer func() { assert.Equal(t, "no", recover()) }()
			return run(t.Context(), func(context.Context, bun.IDB, runner) error { panic("no") })
		},
		"nested": func(t *testing.T, run runner) error {
			return run(t.Context(), func(ctx context.Context, _ bun.IDB, nested runner) error {
				return nested(ctx, func(ctx context.Context, db bun.IDB, nested runner) error {
					require.NoError(t, add(ctx, db))
					return nested(ctx, func(ctx context.Context, db bun.IDB, _ runner) error { return add(ctx, db) })
				})
			})
		},
		"a nested error": func(t *testing.T, run runner) error {
			return run(t.Context(), func(ctx context.Context, _ bun.IDB, nested runner) error {
				assert.ErrorIs(t, nested(ctx, func(ctx context.Context, db bun.IDB, _ runner) error {
					require.NoError(t, add(ctx, db))
					return errNo
				}), errNo)
				return nil
			})
		},
		"BEGIN fails": func(t *testing.T, run runner) error {
			over, cancel := context.WithCancel(t.Context())
			cancel()
			return run(over, func(context.Context, bun.IDB, runner) error { panic("it did not begin") })
		},
		"COMMIT fails": func(t *testing.T, run runner) error {
			ctx, cancel := context.WithCancel(t.Context())
			return run(ctx, func(ctx context.Context, db bun.IDB, _ runner) error {
				require.NoError(t, add(ctx, db))
				cancel()
				return nil
			})
		},
	}
	if b.kind.name == teston.Postgres {
		_, err := b.bind(t).Writer().ExecContext(t.Context(), "CREATE TABLE strict (id INT, CONSTRAINT one UNIQUE (id) DEFERRABLE INITIALLY DEFERRED)")
		require.NoError(t, err)
		works["COMMIT is refused"] = func(t *testing.T, run runner) error {
			return run(t.Context(), func(ctx context.Context, db bun.IDB, _ runner) error {
				_, err := db.NewRaw("INSERT INTO strict VALUES (1), (1)").Exec(ctx)
				return err
			})
		}
	}
	for what, work := range works {
		t.Run(what, func(t *testing.T) {
			w.take()
			_ = work(t, bunsOn(b.bind(t).DB()))
			want := w.take()
			_ = work(t, ours)
			got := w.take()
			if what == "a nested error" { // Bun lets the savepoint be, which is rolled back to
				i := slices.IndexFunc(got, func(s seen) bool { return s.Query == "RELEASE SAVEPOINT x" })
				require.Positive(t, i)
				got = slices.Delete(got, i, i+1)
			}
			require.NotEmpty(t, want)
			for i := range min(len(want), len(got)) {
				if want[i].Err != nil && got[i].Err != nil { // errors of servers are equal only in what they say
					if what != "COMMIT fails" || !endedByContext(want[i].Err) || !endedByContext(got[i].Err) {
						assert.Equal(t, want[i].Err.Error(), got[i].Err.Error())
					}
					want[i].Err, got[i].Err = nil, nil
				}
			}
			assert.Equal(t, want, got)
			t.Log(got)
		})
	}
}

// endedByContext reports whether database/sql says that a transaction's context has ended: it says either of two things, as it
// has rolled back by then or not.
func endedByContext(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, sql.ErrTxDone)
}

func testHooksOfOurs(t *testing.T, b *bench, w *witness) {
	insert := func(ctx context.Context) error { return b.add(ctx, "hooks") }
	w.take()
	require.NoError(t, b.InTx(t.Context(), shop{}, func(ctx context.Context) error {
		return b.InTx(ctx, shop{}, insert, manager.Name("step"))
	}, manager.Name("whole")))
	assert.Equal(t, []string{"BEGIN", "SAVEPOINT x", "INSERT", "RELEASE SAVEPOINT x", "COMMIT"}, w.queries())

	require.NoError(t, b.InTxAll(t.Context(), []binds.Bound{shop{}, audit{}}, insert))
	assert.Equal(t, []string{"BEGIN", "BEGIN", "INSERT", "COMMIT", "COMMIT"}, w.queries())

	// A statement that fails and is overlooked: what ends the transaction is ROLLBACK, or a COMMIT that succeeds.
	err := b.InTx(t.Context(), shop{}, func(ctx context.Context) error {
		_, err := b.NewRaw(shop{}, "INSERT INTO nowhere VALUES (1)").Exec(ctx)
		require.Error(t, err)
		return nil
	})
	var aborted *router.TxAbortedError
	end := map[bool]string{true: "ROLLBACK", false: "COMMIT"}[errors.As(err, &aborted)]
	assert.Equal(t, []string{"BEGIN", "INSERT", end}, w.queries())

	// On a reader.
	b.sync(t)
	w.take()
	ctx, route := router.Explain(t.Context())
	require.NoError(t, b.InTx(ctx, shop{}, func(ctx context.Context) error {
		_, err := b.NewSelect((*item)(nil)).Exec(ctx, new([]item))
		return err
	}, manager.ReadOnly()))
	assert.Contains(t, route.Engine(), "shop/reader-")
	list := w.take()
	require.Len(t, list, 3)
	assert.Equal(t, []string{"BEGIN", "SELECT", "COMMIT"}, []string{list[0].Query, list[1].Query, list[2].Query})
	assert.Equal(t, []string{"", "BEGIN", "BEGIN"}, []string{list[0].Parent, list[1].Parent, list[2].Parent}, "as Bun's: what runs inside is BEGIN's child")

	// A hook that is added to the DB later, and one that asks the database itself.
	late := new(witness)
	for _, hook := range []bun.QueryHook{late, &curious{b: b}} {
		b.bind(t).DB().AddQueryHook(hook) //lint:ignore SA1019 applications have it, and WithQueryHook makes another DB
	}
	w.take()
	require.NoError(t, b.InTx(t.Context(), shop{}, func(ctx context.Context) error { return b.InTx(ctx, shop{}, insert) }))
	assert.Equal(t, []string{"BEGIN", "SELECT", "SAVEPOINT x", "SELECT", "INSERT", "SELECT", "RELEASE SAVEPOINT x", "COMMIT"}, late.queries())
	w.take()
}

// curious is a hook that reads with the context of each statement in a transaction.
type curious struct{ b *bench }

func (c *curious) BeforeQuery(ctx context.Context, e *bun.QueryEvent) context.Context {
	if e.Operation() != "SELECT" && router.InTransaction(ctx, "shop") {
		var n int
		if err := c.b.NewRaw(shop{}, "SELECT COUNT(*) FROM items").Scan(ctx, &n); err != nil && !errors.Is(err, sql.ErrNoRows) {
			panic(err)
		}
	}
	return ctx
}

func (*curious) AfterQuery(context.Context, *bun.QueryEvent) {}
