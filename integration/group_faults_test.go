package integration_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/integration"
	"github.com/bindery-go/bindery/internal/testlog"
	"github.com/bindery-go/bindery/internal/teston"
	"github.com/bindery-go/bindery/manager"
	"github.com/bindery-go/bindery/router"
)

// startGroup starts a group whose members are expelled at once, and do not come back by themselves.
func startGroup(t *testing.T) *integration.Cluster {
	t.Helper()
	teston.Only(t, teston.Group)
	return integration.StartGroup(t,
		integration.WithSetting("group_replication_member_expel_timeout", "0"),
		integration.WithSetting("group_replication_autorejoin_tries", "0"))
}

// writerOf opens a manager that writes to a member and reads from others.
func writerOf(t *testing.T, writer *integration.Server, readers ...*integration.Server) (*manager.DBManager, *testlog.Buffer) {
	t.Helper()
	var uris []string
	for _, r := range readers {
		uris = append(uris, r.URI())
	}
	log := new(testlog.Buffer)
	return openManager(t, config(map[string]string{"shop": writer.URI()}, uris, ""),
		manager.WithLogger(slog.New(slog.NewTextHandler(log, nil)))), log
}

// TestGroup_conflictsAreUndone has two members write the same row: whoever loses is told by 1213, 3101, or 1180 with error
// 149, at COMMIT or before. Nothing of such a transaction is carried out, so that it may run again.
func TestGroup_conflictsAreUndone(t *testing.T) {
	c := startGroup(t)
	ctx := t.Context()
	for _, q := range []string{
		"CREATE TABLE app.hot (id INT PRIMARY KEY, n INT NOT NULL)", "INSERT INTO app.hot VALUES (1, 0)",
		"CREATE TABLE app.marks (id INT PRIMARY KEY AUTO_INCREMENT, mark VARCHAR(40) NOT NULL)",
	} {
		require.NoError(t, c.Primary.Exec(ctx, q))
	}
	require.NoError(t, c.WaitReplayed(ctx))
	switched, err := c.Primary.QueryString(ctx, "SELECT group_replication_switch_to_multi_primary_mode()")
	require.NoError(t, err)
	t.Log(switched)
	var ms []*manager.DBManager
	for _, s := range []*integration.Server{c.Primary, c.Replicas[0]} {
		m, _ := writerOf(t, s)
		ms = append(ms, m)
	}
	counts := func(query string) string {
		require.NoError(t, c.WaitReplayed(ctx))
		n, err := c.Primary.QueryString(ctx, query)
		require.NoError(t, err)
		return n
	}
	// transact writes a mark, then the row, and overlooks what goes wrong there.
	transact := func(m *manager.DBManager, mark string, overlook bool, opts ...manager.TxOption) error {
		return m.InTx(ctx, shop{}, func(ctx context.Context) error {
			if _, err := m.NewRaw(shop{}, "INSERT INTO marks (mark) VALUES (?)", mark).Exec(ctx); err != nil {
				return err
			}
			_, err := m.NewRaw(shop{}, "UPDATE hot SET n = n + 1 WHERE id = 1").Exec(ctx)
			if err != nil && overlook {
				_, _ = m.NewRaw(shop{}, "INSERT INTO marks (mark) VALUES (?)", mark+" torn").Exec(ctx)
				return nil
			}
			return err
		}, opts...)
	}
	atOnce := func(do func(m *manager.DBManager, name string)) {
		var all sync.WaitGroup
		for i, m := range ms {
			for g := range 3 {
				all.Go(func() {
					for n := range 60 {
						do(m, fmt.Sprintf("%d/%d/%d", i, g, n))
					}
				})
			}
		}
		all.Wait()
	}

	var succeeded atomic.Int64
	var mu sync.Mutex
	seen := map[string]int{}
	atOnce(func(m *manager.DBManager, name string) {
		err := transact(m, name, true)
		if err == nil {
			succeeded.Add(1)
			return
		}
		var aborted *router.TxAbortedError
		assert.ErrorAs(t, err, &aborted)
		assert.NotErrorIs(t, err, router.ErrOutcomeUnknown)
		mu.Lock()
		defer mu.Unlock()
		for _, number := range []string{"1213", "3101", "error 149"} {
			if strings.Contains(err.Error(), number) {
				seen[number]++
			}
		}
	})
	t.Logf("%d of 360 succeeded, the others ended by %v", succeeded.Load(), seen)
	assert.Positive(t, seen["3101"])
	assert.Positive(t, seen["error 149"])
	assert.Equal(t, fmt.Sprint(succeeded.Load()), counts("SELECT n FROM app.hot"), "what failed was not carried out, and what did not was")
	assert.Equal(t, fmt.Sprint(succeeded.Load()), counts("SELECT COUNT(*) FROM app.marks"))
	assert.Equal(t, "0", counts("SELECT COUNT(*) FROM app.marks WHERE mark LIKE '%torn'"), "nothing of a transaction that was undone")

	before := counts("SELECT n FROM app.hot")
	var errs []error
	atOnce(func(m *manager.DBManager, name string) {
		if err := transact(m, "again "+name, false, manager.Retry(1000)); err != nil {
			mu.Lock()
			defer mu.Unlock()
			errs = append(errs, err)
		}
	})
	require.NoError(t, errors.Join(errs...), "with Retry all succeed")
	assert.Equal(t, counts(fmt.Sprintf("SELECT %s + 360", before)), counts("SELECT n FROM app.hot"))
	assert.Equal(t, "360", counts("SELECT COUNT(*) FROM app.marks WHERE mark LIKE 'again%'"))
}

// TestGroup_refusesAtCommit by 3100: a transaction that is too large, and any while the member leaves. The writer is asked
// then whether it still is one.
func TestGroup_refusesAtCommit(t *testing.T) {
	c := startGroup(t)
	ctx := t.Context()
	m, _ := writerOf(t, c.Primary, c.Replicas...)
	_, err := m.NewCreateTable((*cell)(nil)).Exec(ctx)
	require.NoError(t, err)
	_, err = m.NewRaw(shop{}, "CREATE TABLE texts (id INT PRIMARY KEY, v LONGTEXT)").Exec(ctx)
	require.NoError(t, err)
	require.NoError(t, m.NewRaw(shop{}, "SELECT 1").Scan(ctx, new(int)), "the bind is read from: its servers are looked at")

	require.NoError(t, c.Primary.Exec(ctx, "SET GLOBAL group_replication_transaction_size_limit = 2000"))
	const large = "INSERT INTO texts VALUES (?, REPEAT('x', 100000))"
	_, err = m.NewRaw(shop{}, large, 1).Exec(ctx)
	require.ErrorContains(t, err, "3100")
	require.NotErrorIs(t, err, router.ErrOutcomeUnknown)
	require.NotErrorIs(t, err, router.ErrNoWriter, "it is its own size")
	tries := 0
	err = m.InTx(ctx, shop{}, func(ctx context.Context) error {
		tries++
		_, err := m.NewRaw(shop{}, large, 2).Exec(ctx)
		return err
	}, manager.Retry(3))
	var aborted *router.TxAbortedError
	require.ErrorAs(t, err, &aborted)
	require.ErrorContains(t, err, "3100")
	assert.Equal(t, 1, tries, "it would be as large again")
	n, err := c.Primary.QueryString(ctx, "SELECT COUNT(*) FROM app.texts")
	require.NoError(t, err)
	assert.Equal(t, "0", n)
	require.NoError(t, c.Primary.Exec(ctx, "SET GLOBAL group_replication_transaction_size_limit = 150000000"))

	// The primary leaves under load. What it refuses, by 3100 or as a server that is read-only, was not carried out.
	var acked, refused atomic.Int64
	stop := make(chan struct{})
	var all sync.WaitGroup
	for g := range 6 {
		all.Go(func() {
			for id := g * 1_000_000; ; id++ {
				select {
				case <-stop:
					return
				default:
				}
				short, cancel := context.WithTimeout(ctx, 5*time.Second)
				_, err := m.NewInsert(&cell{ID: id}).Exec(short)
				cancel()
				switch {
				case err == nil:
					acked.Add(1)
				case strings.Contains(err.Error(), "3100"):
					assert.NotErrorIs(t, err, router.ErrOutcomeUnknown)
					refused.Add(1)
				case !errors.Is(err, router.ErrNoWriter):
					assert.NoError(t, err)
				}
			}
		})
	}
	require.Eventually(t, func() bool { return acked.Load() > 100 }, waitFor, tick)
	require.NoError(t, c.Primary.Exec(ctx, "STOP GROUP_REPLICATION"))
	require.Eventually(t, func() bool {
		v, err := c.Primary.QueryString(ctx, "SELECT @@super_read_only")
		return err == nil && v == "1"
	}, waitFor, tick)
	close(stop)
	all.Wait()
	t.Logf("%d writes, %d refused by 3100", acked.Load(), refused.Load())
	next := groupPrimary(t, c.Replicas...)
	require.Eventually(t, func() bool {
		n, err = next.QueryString(ctx, "SELECT COUNT(*) FROM app.cells")
		return err == nil && n == fmt.Sprint(acked.Load())
	}, waitFor, tick, "what was acknowledged is there, and nothing else: %s of %d", n, acked.Load())
}

// TestGroup_offlineMode: a member that was expelled lets nobody in (6400, with the reason). It is a busy server: reads go
// elsewhere, and writes wait.
func TestGroup_offlineMode(t *testing.T) {
	c := startGroup(t)
	ctx := t.Context()
	expelled := c.Replicas[0]
	m, log := writerOf(t, c.Primary, expelled)
	_, err := m.NewCreateTable((*cell)(nil)).Exec(ctx)
	require.NoError(t, err)
	_, err = m.NewInsert(&cell{ID: 1, V: 7}).Exec(ctx)
	require.NoError(t, err)
	require.NoError(t, expelled.Freeze())
	require.Eventually(t, func() bool {
		n, err := c.Primary.QueryString(ctx, "SELECT COUNT(*) FROM performance_schema.replication_group_members")
		return err == nil && n == "2"
	}, time.Minute, 50*time.Millisecond, "it is expelled")
	require.NoError(t, expelled.Thaw())
	require.Eventually(t, func() bool {
		v, err := expelled.QueryString(ctx, "SELECT @@offline_mode")
		return err == nil && v == "1"
	}, time.Minute, 50*time.Millisecond)

	e, err := binds.Open(ctx, "expelled", expelled.URI())
	require.NoError(t, err)
	defer func() { require.NoError(t, e.Close()) }()
	err = e.Ping(ctx)
	require.ErrorContains(t, err, "6400")
	require.ErrorContains(t, err, "leave group on failure", "the reason")
	assert.Equal(t, binds.Busy.String(), e.Classify(err).String())

	explained, route := router.Explain(ctx)
	var got cell
	require.NoError(t, m.NewSelect(&got).Where("id = 1").Scan(explained))
	assert.EqualValues(t, 7, got.V)
	assert.Equal(t, "shop/writer", route.Engine())
	assert.Contains(t, log.String(), `msg="reader is down: its reads go elsewhere" engine=shop/reader-1`)

	waiting, _ := writerOf(t, c.Primary)
	away := strings.Replace(config(map[string]string{"shop": expelled.URI()}, nil, ""), "[binds.shop]\n", "[binds.shop]\nlazy = true\n", 1)
	lazy := openManager(t, away)
	short, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	_, err = lazy.NewInsert(&cell{ID: 2}).Exec(short)
	require.ErrorIs(t, err, router.ErrNoWriter, "it was not carried out")
	_, err = waiting.NewInsert(&cell{ID: 2}).Exec(ctx)
	require.NoError(t, err)
}
