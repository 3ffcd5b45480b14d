package integration_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/binds/mysqlbind"
	"github.com/bindery-go/bindery/integration"
	"github.com/bindery-go/bindery/internal/teston"
	"github.com/bindery-go/bindery/manager"
	"github.com/bindery-go/bindery/router"
)

// eachMySQLRouter runs a test with a port of MySQL Router that splits, one that shares sessions, and one that does neither, before a
// primary with a replica.
func eachMySQLRouter(t *testing.T, test func(t *testing.T, c *integration.Cluster, r *integration.MySQLRouter, uri string)) {
	teston.Only(t, teston.MySQL)
	if !teston.Has(teston.MySQL) {
		return
	}
	programs := integration.RequireMySQLRouters(t)
	for _, row := range []struct {
		does     string
		settings []string
	}{
		{"read-write splitting", nil},
		{"connection sharing", []string{"destinations = metadata-cache://bindery/?role=PRIMARY", "access_mode ="}},
		{"sessions of its own", []string{"destinations = metadata-cache://bindery/?role=PRIMARY", "access_mode =", "connection_sharing = 0"}},
	} {
		c := teston.Start(t, teston.MySQL, 1, integration.WithTLS())
		r := integration.StartMySQLRouter(t, c, integration.MySQLRouterOptions{
			Program: programs[0], Settings: append(row.settings, "connection_sharing_delay = 0"),
		})
		uri := r.URI() + "?ssl-mode=VERIFY_IDENTITY&ssl-ca=" + c.TLS().CA
		t.Run(row.does, func(t *testing.T) {
			m := openManager(t, config(map[string]string{"shop": uri}, nil, ""))
			assert.Contains(t, m.Check(t.Context()).String(), fmt.Sprintf("reached through %s (%s)", r.Version(), row.does))
			test(t, c, r, uri)
		})
	}
}

// TestMySQLRouter_readsItsWrites has a manager that knows one address, the router's, read back what it wrote, in every way there is,
// while the replica that the router sends reads to stands still.
func TestMySQLRouter_readsItsWrites(t *testing.T) {
	eachMySQLRouter(t, func(t *testing.T, c *integration.Cluster, _ *integration.MySQLRouter, uri string) {
		readsItsWritesThrough(t, c, uri, "?")
	})
}

// TestMySQLRouter_asReader gives the router's address to a reader: what that serves is right while the replica behind it stands
// still, and it serves while that follows, where the port leads to one.
func TestMySQLRouter_asReader(t *testing.T) {
	eachMySQLRouter(t, func(t *testing.T, c *integration.Cluster, _ *integration.MySQLRouter, uri string) {
		ctx := t.Context()
		m := openManager(t, config(map[string]string{"shop": c.Primary.URI()}, []string{uri}, ""))
		require.NoError(t, m.CreateTables(ctx, (*tally)(nil)))
		_, err := m.NewInsert(&tally{ID: 1}).Exec(ctx)
		require.NoError(t, err)
		served := map[string]int{}
		update := func(n int64) {
			_, err := m.NewUpdate(&tally{ID: 1, Value: n}).WherePK().Exec(ctx)
			require.NoError(t, err)
		}
		read := func(n int64) string {
			row := tally{ID: 1}
			explained, route := router.Explain(ctx)
			require.NoError(t, m.NewSelect(&row).WherePK().Scan(explained))
			require.Equal(t, n, row.Value, route.String())
			served[route.Engine()]++
			return route.Engine()
		}
		for n := range int64(20) {
			update(n)
			require.Eventually(t, func() bool { return read(n) == "shop/reader-1" }, 20*time.Second, time.Millisecond)
		}
		require.NoError(t, c.Replicas[0].PauseReplay(ctx))
		for n := range int64(100) {
			update(100 + n)
			read(100 + n)
		}
		t.Logf("%v", served)
		require.NoError(t, c.Replicas[0].ResumeReplay(ctx))
	})
}

// TestMySQLRouter_sessions has sessions through the router stay what they are while others come and go: a named lock has one holder,
// a reader's sessions refuse writes and nobody else's do, and what is given up ends on the server.
func TestMySQLRouter_sessions(t *testing.T) {
	eachMySQLRouter(t, func(t *testing.T, c *integration.Cluster, _ *integration.MySQLRouter, uri string) {
		ctx := t.Context()
		m := openManager(t, config(map[string]string{"shop": uri}, []string{uri}, ""))
		require.NoError(t, m.CreateTables(ctx, (*tally)(nil)))
		bind, err := m.Bind(shop{})
		require.NoError(t, err)
		other := openManager(t, config(map[string]string{"shop": c.Primary.URI()}, nil, ""))
		lock, err := m.Lock(ctx, shop{}, "one")
		require.NoError(t, err)

		var running sync.WaitGroup
		for id := range int64(6) {
			running.Go(func() {
				for range 20 {
					assert.NoError(t, onConn(ctx, bind.Writer().DB, func(conn *sql.Conn) error {
						return staysInSession(ctx, t, conn, func() error {
							_, err := conn.ExecContext(ctx, fmt.Sprintf("REPLACE INTO tallies VALUES (%d, 1)", id+1))
							return err
						})
					}))
					assert.NoError(t, onConn(ctx, bind.ReaderEngines()[0].DB(), func(conn *sql.Conn) error {
						return staysInSession(ctx, t, conn, func() error {
							_, err := conn.ExecContext(ctx, "REPLACE INTO tallies VALUES (7, 1)")
							assert.Error(t, err)
							return nil
						})
					}))
				}
			})
		}
		running.Wait()
		_, err = other.Lock(ctx, shop{}, "one", manager.TryOnly())
		require.ErrorIs(t, err, manager.ErrLockTimeout)
		require.NoError(t, lock.Context().Err())
		require.NoError(t, lock.Unlock())

		require.ErrorIs(t, onConn(ctx, bind.WriterEngine().DB(), func(conn *sql.Conn) error {
			if _, err := conn.ExecContext(ctx, "DO GET_LOCK('left', 0)"); err != nil {
				return err
			}
			return conn.Raw(func(any) error { return driver.ErrBadConn }) // has it closed
		}), driver.ErrBadConn)
		require.Eventually(t, func() bool {
			holder, err := c.Primary.QueryString(ctx, "SELECT IS_USED_LOCK('left')")
			return err == nil && holder == ""
		}, 3*time.Second, time.Millisecond, "the session ends with its connection: a router would keep it for five seconds, and its locks")
		if strings.Contains(bind.WriterEngine().Pooler(), "splitting") {
			return // it takes no KILL
		}
		for _, engine := range []*sql.DB{bind.WriterEngine().DB(), bind.ReaderEngines()[0].DB()} {
			brief, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
			_, err := engine.QueryContext(brief, "SELECT SLEEP(60) FROM tallies")
			cancel()
			require.ErrorIs(t, err, context.DeadlineExceeded)
			for _, s := range []*integration.Server{c.Primary, c.Replicas[0]} {
				require.Eventually(t, func() bool {
					n, err := s.QueryString(ctx, "SELECT COUNT(*) FROM performance_schema.processlist WHERE info LIKE '%SLEEP(60)%' AND id <> CONNECTION_ID()")
					return err == nil && n == "0"
				}, 10*time.Second, 10*time.Millisecond, s.Addr())
			}
		}
	})
}

// staysInSession runs do between two looks at who serves the connection.
func staysInSession(ctx context.Context, t *testing.T, conn *sql.Conn, do func() error) error {
	const who = "SELECT CONCAT(@@server_id, '/', CONNECTION_ID())"
	var before, after string
	if err := conn.QueryRowContext(ctx, who).Scan(&before); err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	if err := conn.QueryRowContext(ctx, who).Scan(&after); err != nil {
		return err
	}
	assert.Equal(t, before, after)
	return nil
}

// TestMySQLRouter_failover has the primary die behind the router: what is written after that goes to the new one, and is read back there,
// also once the old one has come back as a replica that stands still.
func TestMySQLRouter_failover(t *testing.T) {
	eachMySQLRouter(t, func(t *testing.T, c *integration.Cluster, r *integration.MySQLRouter, uri string) {
		ctx := t.Context()
		m := openManager(t, config(map[string]string{"shop": uri + "&connect_timeout=2"}, nil, ""))
		require.NoError(t, m.CreateTables(ctx, (*tally)(nil)))
		for id := range int64(3) {
			_, err := m.NewInsert(&tally{ID: id + 1, Value: -1}).Exec(ctx)
			require.NoError(t, err)
		}
		session := router.NewSession(ctx)
		_, err := m.NewUpdate(&tally{ID: 1, Value: 41}).WherePK().Exec(session)
		require.NoError(t, err)
		require.NoError(t, c.WaitReplayed(ctx))

		old, promoted := c.Primary, c.Replicas[0]
		require.NoError(t, old.Kill(ctx))
		require.NoError(t, promoted.Promote(ctx))
		require.NoError(t, r.SetPrimary(ctx, promoted))
		bounded, cancel := context.WithTimeout(session, 30*time.Second)
		defer cancel()
		row := &tally{ID: 1}
		require.NoError(t, m.NewSelect(row).WherePK().Scan(bounded))
		assert.EqualValues(t, 41, row.Value)
		_, err = m.NewUpdate(&tally{ID: 1, Value: 42}).WherePK().Exec(bounded)
		require.NoError(t, err)
		assert.Empty(t, readBack(t, m, "?", 3, 3))

		require.NoError(t, old.Rebuild(ctx, promoted))
		require.NoError(t, c.WaitReplayed(ctx))
		require.NoError(t, old.PauseReplay(ctx))
		assert.Empty(t, readBack(t, m, "?", 3, 12))
	})
}

// TestMySQLRouter_wantsTLS says what to do where the router takes no other clients.
func TestMySQLRouter_wantsTLS(t *testing.T) {
	teston.Only(t, teston.MySQL)
	if !teston.Has(teston.MySQL) {
		return
	}
	integration.RequireMySQLRouters(t)
	c := teston.Start(t, teston.MySQL, 0, integration.WithTLS())
	r := integration.StartMySQLRouter(t, c, integration.MySQLRouterOptions{Settings: []string{"client_ssl_mode = REQUIRED"}})
	source, err := mysqlbind.Driver{}.Open(t.Context(), r.URI())
	require.NoError(t, err)
	_, err = source.Connector(binds.Writer).Connect(t.Context())
	require.ErrorContains(t, err, "the router wants TLS: give ssl-mode=VERIFY_IDENTITY")
	assertNoPassword(t, err)
}
