package integration_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/manager"
	"github.com/bindery-go/bindery/router"
)

// A commitCutter forwards to a server, and breaks a connection at the COMMIT, or other statement, that it is told to.
type commitCutter struct {
	listener net.Listener
	target   string
	running  sync.WaitGroup
	// cut is what becomes of the next COMMIT: 0 nothing, else the connection breaks before it is
	// passed on (1), or before its answer is (2).
	cut atomic.Int32
	at  atomic.Value // string: the text of the statement where it breaks, in place of COMMIT
}

func newCommitCutter(t *testing.T, target string) *commitCutter {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &commitCutter{listener: l, target: target}
	p.at.Store("COMMIT")
	p.running.Go(func() {
		for {
			down, err := l.Accept()
			if err != nil {
				return
			}
			p.running.Go(func() { p.forward(down) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		p.running.Wait()
	})
	return p
}

func (p *commitCutter) forward(down net.Conn) {
	defer func() { _ = down.Close() }()
	up, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer func() { _ = up.Close() }()
	var deaf atomic.Bool
	answered := make(chan struct{})
	p.running.Go(func() {
		defer func() { _ = down.Close() }()
		buf := make([]byte, 64<<10)
		for {
			n, err := up.Read(buf)
			if deaf.Load() && n > 0 { // the server has said what became of the COMMIT
				close(answered)
				return
			}
			if _, werr := down.Write(buf[:n]); err != nil || werr != nil {
				return
			}
		}
	})
	buf := make([]byte, 64<<10)
	for {
		n, err := down.Read(buf)
		if err != nil {
			return
		}
		if bytes.Contains(buf[:n], []byte(p.at.Load().(string))) {
			switch p.cut.Swap(0) {
			case 1:
				return
			case 2:
				deaf.Store(true)
				_, _ = up.Write(buf[:n])
				<-answered
				return
			}
		}
		if _, err := io.Copy(up, bytes.NewReader(buf[:n])); err != nil {
			return
		}
	}
}

// onCutter runs a test on each kind of server, with a commitCutter before the shop's writer.
func onCutter(t *testing.T, test func(t *testing.T, b *bench, p *commitCutter)) {
	for _, k := range serverKinds() {
		t.Run(k.name, func(t *testing.T) {
			b := &bench{kind: k}
			writer, readers, cluster := k.uris(t)
			b.cluster = cluster
			p := newCommitCutter(t, cluster.Primary.Addr())
			through := strings.Replace(writer, cluster.Primary.Addr(), p.listener.Addr().String(), 1)
			b.DBManager = openManager(t, config(map[string]string{"shop": through, "audit": writer}, readers, ""))
			for _, model := range []any{(*item)(nil), (*note)(nil)} {
				_, err := b.NewCreateTable(model).Exec(t.Context())
				require.NoError(t, err)
			}
			test(t, b, p)
		})
	}
}

func (b *bench) notes(t *testing.T) int {
	t.Helper()
	n, err := b.NewSelect((*note)(nil)).Count(router.OnWriter(t.Context()))
	require.NoError(t, err)
	return int(n)
}

// TestCommitWithoutAnswer breaks the connection before and after the server has committed: to the
// caller it is the same.
func TestCommitWithoutAnswer(t *testing.T) {
	onCutter(t, func(t *testing.T, b *bench, p *commitCutter) {
		for cut, rows := range map[int32]int64{1: 0, 2: 1} {
			tries := 0
			err := b.InTx(t.Context(), shop{}, func(ctx context.Context) error {
				tries++
				p.cut.Store(cut)
				return b.add(ctx, "unknown")
			}, manager.Retry(5))
			require.ErrorIs(t, err, router.ErrOutcomeUnknown)
			assert.Equal(t, 1, tries, "never repeated")
			assert.Equal(t, rows, b.rowsOf(t.Context(), t, "name = 'unknown'"))
			// It counts as a write: no reader serves that may not show it.
			n, err := b.NewSelect((*item)(nil)).Where("name = 'unknown'").Count(t.Context())
			require.NoError(t, err)
			assert.EqualValues(t, rows, n)
			_, err = b.NewDelete((*item)(nil)).Where("1 = 1").Exec(t.Context())
			require.NoError(t, err)
		}
	})
}

// TestSomeOfTwoCommit loses the answer to the second COMMIT, and to the first.
func TestSomeOfTwoCommit(t *testing.T) {
	onCutter(t, func(t *testing.T, b *bench, p *commitCutter) {
		var kept []binds.Key // as those who waited for it were told
		both := func(bounds ...binds.Bound) error {
			return b.InTxAll(t.Context(), bounds, func(ctx context.Context) error {
				p.cut.Store(1)
				for _, bound := range bounds {
					note := func(context.Context) { kept = append(kept, bound.BindKey()) }
					if err := b.AfterCommit(ctx, bound, note); err != nil {
						return err
					}
				}
				_, err := b.NewInsert(&note{Text: "x"}).Exec(ctx)
				return errors.Join(err, b.add(ctx, "x"))
			}, manager.Retry(3))
		}
		var partial *router.PartialCommitError
		err := both(audit{}, shop{})
		require.ErrorAs(t, err, &partial)
		assert.Equal(t, []binds.Key{"audit"}, partial.Committed)
		assert.Equal(t, binds.Key("shop"), partial.Failed)
		assert.True(t, partial.Unknown)
		assert.Empty(t, partial.RolledBack)
		require.ErrorIs(t, err, router.ErrOutcomeUnknown)
		assert.Equal(t, 1, b.notes(t))
		assert.Equal(t, partial.Committed, kept)

		err = both(shop{}, audit{})
		require.ErrorAs(t, err, &partial)
		assert.Empty(t, partial.Committed)
		assert.Equal(t, []binds.Key{"audit"}, partial.RolledBack)
		assert.Equal(t, 1, b.notes(t), "rolled back")
		assert.Equal(t, []binds.Key{"audit"}, kept, "nobody was told of more")
	})
}

// TestLaterCommitRefused has a deferred constraint fail at the second COMMIT: it is known to be rolled
// back, the first is not.
func TestLaterCommitRefused(t *testing.T) {
	b := newBench(t, postgresKind(t))
	ctx := t.Context()
	exec := func(query string) {
		t.Helper()
		_, err := b.bind(t).Writer().ExecContext(ctx, query)
		require.NoError(t, err)
	}
	exec("CREATE TABLE strict (id INT, CONSTRAINT one UNIQUE (id) DEFERRABLE INITIALLY DEFERRED)")
	break1 := func(ctx context.Context) error {
		_, err := b.NewRaw(shop{}, "INSERT INTO strict VALUES (1), (1)").Exec(ctx)
		return err
	}
	err := b.InTx(ctx, shop{}, break1)
	var aborted *router.TxAbortedError
	require.ErrorAs(t, err, &aborted)
	assert.ErrorContains(t, err, "one")
	err = b.InTxAll(ctx, []binds.Bound{audit{}, shop{}}, func(ctx context.Context) error {
		_, err := b.NewInsert(&note{Text: "x"}).Exec(ctx)
		return errors.Join(err, break1(ctx))
	})
	var partial *router.PartialCommitError
	require.ErrorAs(t, err, &partial)
	assert.Equal(t, []binds.Key{"audit"}, partial.Committed)
	assert.False(t, partial.Unknown)
	assert.Equal(t, 1, b.notes(t))
	err = b.InTxAll(ctx, []binds.Bound{shop{}, audit{}}, func(ctx context.Context) error {
		_, err := b.NewInsert(&note{Text: "x"}).Exec(ctx)
		return errors.Join(err, break1(ctx))
	})
	require.ErrorAs(t, err, &aborted)
	assert.False(t, errors.As(err, new(*router.PartialCommitError)), "nothing was committed")
	assert.Equal(t, 1, b.notes(t))
}

// TestServerKilledAtCommit kills PostgreSQL while a COMMIT is under way.
func TestServerKilledAtCommit(t *testing.T) {
	b := newBench(t, postgresKind(t))
	ctx := t.Context()
	for _, query := range []string{
		"CREATE FUNCTION nap() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(600); RETURN NULL; END'",
		"CREATE CONSTRAINT TRIGGER nap AFTER INSERT ON items DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION nap()",
	} {
		_, err := b.bind(t).Writer().ExecContext(ctx, query)
		require.NoError(t, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- b.InTx(ctx, shop{}, func(ctx context.Context) error { return b.add(ctx, "killed") }) }()
	require.Eventually(t, func() bool {
		n, err := b.cluster.Primary.QueryString(ctx, "SELECT count(*) FROM pg_stat_activity WHERE query = 'COMMIT' AND state = 'active'")
		return err == nil && n == "1"
	}, waitFor, 5*time.Millisecond)
	require.NoError(t, b.cluster.Primary.Kill(ctx))
	require.ErrorIs(t, <-ended, router.ErrOutcomeUnknown)

	began := time.Now()
	short, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	err := b.InTx(short, shop{}, func(context.Context) error { panic("there is no writer") })
	var gone *router.UnavailableError
	require.ErrorAs(t, err, &gone)
	t.Logf("an InTx with 200 ms to live gave up after %v", time.Since(began))
	back := make(chan error, 1)
	go func() { back <- b.InTx(ctx, shop{}, func(ctx context.Context) error { return nil }) }()
	require.NoError(t, b.cluster.Primary.Start(ctx))
	require.NoError(t, <-back, "BEGIN waits for a writer that comes back")
}

// TestConnectionLostInTx has the server end the session: nothing moves to another connection.
func TestConnectionLostInTx(t *testing.T) {
	for _, k := range serverKinds() {
		t.Run(k.name, func(t *testing.T) {
			b := newBench(t, k)
			id, kill := "SELECT pg_backend_pid()", "SELECT pg_terminate_backend(?)"
			if inMySQLFamily(k.name) {
				id, kill = "SELECT CONNECTION_ID()", "KILL ?"
			}
			err := b.InTx(t.Context(), shop{}, func(ctx context.Context) error {
				require.NoError(t, b.add(ctx, "lost"))
				var n int64
				require.NoError(t, b.NewRaw(shop{}, id).Scan(ctx, &n))
				_, err := b.bind(t).Writer().NewRaw(kill, n).Exec(router.OutsideTx(ctx))
				require.NoError(t, err)
				require.Error(t, b.add(ctx, "lost"), "not on another connection")
				return b.add(ctx, "lost")
			})
			require.Error(t, err)
			require.NotErrorIs(t, err, router.ErrOutcomeUnknown, "there was no COMMIT")
			assert.Zero(t, b.rowsOf(t.Context(), t, "name = 'lost'"))
		})
	}
}

// TestDeadlock makes two transactions wait for each other: with Retry both succeed, and one that
// swallows the error is not committed in part.
func TestDeadlock(t *testing.T) {
	for _, k := range serverKinds() {
		t.Run(k.name, func(t *testing.T) {
			b := newBench(t, k)
			first, second := &item{Name: "first"}, &item{Name: "second"}
			for _, row := range []*item{first, second} {
				_, err := b.NewInsert(row).Exec(t.Context())
				require.NoError(t, err)
			}
			set := func(ctx context.Context, row *item) error { // by its key: InnoDB locks all rows that it looks at
				_, err := b.NewUpdate((*item)(nil)).Set("server = server + 1").Where("id = ?", row.ID).Exec(ctx)
				return err
			}
			clash := func(swallow bool, opts ...manager.TxOption) (errs [2]error, tries int64) {
				var all, locked sync.WaitGroup
				var tried atomic.Int64
				locked.Add(2)
				for i, order := range [][2]*item{{first, second}, {second, first}} {
					once := sync.OnceFunc(func() { locked.Done(); locked.Wait() })
					all.Go(func() {
						errs[i] = b.InTx(t.Context(), shop{}, func(ctx context.Context) error {
							tried.Add(1)
							if err := set(ctx, order[0]); err != nil {
								return err
							}
							once()
							err := set(ctx, order[1])
							if err != nil && swallow {
								_ = b.add(ctx, "torn")
								return nil
							}
							return err
						}, opts...)
					})
				}
				all.Wait()
				return errs, tried.Load()
			}
			errs, tries := clash(false, manager.Retry(10))
			require.NoError(t, errors.Join(errs[:]...))
			assert.GreaterOrEqual(t, tries, int64(3))
			assert.EqualValues(t, 2, b.rowsOf(t.Context(), t, "server = 2"))

			errs, _ = clash(false)
			require.Error(t, errors.Join(errs[:]...), "without Retry")

			errs, _ = clash(true)
			err := errors.Join(errs[:]...)
			var aborted *router.TxAbortedError
			require.ErrorAs(t, err, &aborted)
			t.Log(err)
			assert.Zero(t, b.rowsOf(t.Context(), t, "name = 'torn'"))
			assert.EqualValues(t, 2, b.rowsOf(t.Context(), t, "server = 4"))

			errs, tries = clash(true, manager.Retry(10))
			require.NoError(t, errors.Join(errs[:]...), "what was swallowed is known all the same")
			assert.GreaterOrEqual(t, tries, int64(3))
		})
	}
}

// TestSerializationFailureAtCommit has PostgreSQL refuse a COMMIT by 40001.
func TestSerializationFailureAtCommit(t *testing.T) {
	b := newBench(t, postgresKind(t))
	require.NoError(t, b.add(t.Context(), "a", "b"))
	var all, read sync.WaitGroup
	var tries atomic.Int64
	read.Add(2)
	errs := make([]error, 2)
	for i, names := range [][2]string{{"a", "b"}, {"b", "a"}} { // write skew, manual section 13.2.3
		once := sync.OnceFunc(func() { read.Done(); read.Wait() })
		all.Go(func() {
			errs[i] = b.InTx(t.Context(), shop{}, func(ctx context.Context) error {
				tries.Add(1)
				var other item
				if err := b.NewSelect(&other).Where("name = ?", names[0]).Scan(ctx); err != nil {
					return err
				}
				once()
				_, err := b.NewUpdate((*item)(nil)).Set("server = ?", other.Server+1).Where("name = ?", names[1]).Exec(ctx)
				return err
			}, manager.Isolation(sql.LevelSerializable), manager.Retry(10))
		})
	}
	all.Wait()
	require.NoError(t, errors.Join(errs...))
	assert.EqualValues(t, 3, tries.Load())
	assert.EqualValues(t, 1, b.rowsOf(t.Context(), t, "server = 2"), "one after the other")
}
