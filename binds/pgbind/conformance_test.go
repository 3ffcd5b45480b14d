package pgbind

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/driver/pgdriver"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/binds/bindtest"
)

func TestConformance(t *testing.T) {
	const wrong = "Wr0ng-passw0rd"
	login, err := url.Parse(cluster.Primary.URI())
	require.NoError(t, err)
	login.User = url.UserPassword(login.User.Username(), wrong)
	dead, err := url.Parse(cluster.Primary.URI())
	require.NoError(t, err)
	dead.Host = refusing(t)
	escaped, _ := login.User.Password()
	bindtest.Run(t, bindtest.Harness{
		Driver:          Driver{},
		Dialect:         dialect.PG,
		Writer:          cluster.Primary.URI(),
		Readers:         []string{cluster.Replicas[0].URI()},
		Dead:            dead.String(),
		Login:           login.String(),
		Secrets:         []string{secret, wrong, escaped, url.PathEscape(secret), url.QueryEscape(secret)},
		RefusedOnReader: refusedOnReader,
		Undo:            undo,
		Sessions:        sessionChanges,
		Slow:            "SELECT pg_sleep(60)",
		SlowRows:        "SELECT repeat('x', 10000), pg_sleep(0.2) FROM generate_series(1, 300)",
		FailsAtZero:     "1 / n",
		Running:         count(active),
		Connections:     count("SELECT count(*) FROM pg_stat_activity WHERE usename = 'app'"),
		ConnID:          "SELECT pg_backend_pid()",
		Kill:            func(ctx context.Context, id string) error { return terminate(ctx, id) },
		Sync:            cluster.WaitReplayed,
		Native: func(conn any) error {
			if _, ok := conn.(*pgdriver.Conn); !ok {
				return fmt.Errorf("a native connection is a %T", conn)
			}
			return nil
		},
		Faults:     faults,
		Positions:  positions(t),
		Interrupts: interrupts(),
		Columns: map[reflect.Type]string{
			reflect.TypeFor[sql.NullInt32](): "INTEGER", // Bun takes it for a struct to be kept as JSON
		},
	})
}

func positions(t *testing.T) *bindtest.Positions {
	standby := cluster.Replicas[0]
	commit := func(v string, checks int) bindtest.Load {
		return bindtest.Load{
			Reason: "synchronous_commit=" + v,
			Writer: with(t, cluster.Primary.URI(), "synchronous_commit", v),
			Checks: checks,
		}
	}
	return &bindtest.Positions{
		Ways:   []string{cluster.Primary.SocketURI()},
		Loads:  []bindtest.Load{commit("on", 300), commit("off", 12)}, // each waits for the WAL writer
		Pause:  standby.PauseReplay,
		Resume: standby.ResumeReplay,
		Received: func(ctx context.Context, p binds.Position) (bool, error) {
			received, err := standby.QueryString(ctx, "SELECT pg_last_wal_receive_lsn() >= '"+p.String()+"'")
			return received == "true", err
		},
		Crash: func(ctx context.Context) error { return errors.Join(standby.Kill(ctx), standby.Start(ctx)) },
	}
}

func interrupts() *bindtest.Interrupts {
	standby := cluster.Replicas[0]
	return &bindtest.Interrupts{
		Held: "SELECT pg_sleep(60)",
		Running: "SELECT count(*) FROM pg_stat_activity" +
			" WHERE usename = 'app' AND state = 'active' AND pid <> pg_backend_pid()",
		Freeze: standby.Freeze,
		Thaw:   standby.Thaw,
	}
}

func count(query string) func(context.Context) (int, error) {
	return func(ctx context.Context) (n int, err error) {
		err = admin.QueryRowContext(ctx, query).Scan(&n)
		return n, err
	}
}

const (
	tenant   = "SELECT coalesce(current_setting('bindtest.tenant', true), '')"
	advisory = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
	temps    = "SELECT count(*) FROM pg_class WHERE relnamespace = pg_my_temp_schema()"
)

// sessionChanges are what a session may be left with.
var sessionChanges = []bindtest.SessionChange{
	{Reason: "SET", SQL: "SET search_path = ''", Seen: "SHOW search_path", NoPrepare: true},
	{Reason: "set_config", SQL: "SELECT set_config('bindtest.tenant', '7', false)", Seen: tenant},
	{Reason: "set_config in an UPDATE", SQL: "UPDATE pg_settings SET setting = 'x' WHERE name = 'application_name'", Seen: "SHOW application_name", WriterOnly: true},
	{Reason: "set_config in a block", SQL: "DO $$ BEGIN PERFORM set_config('bindtest.tenant', '7', false); END $$", Seen: tenant, NoPrepare: true},
	{Reason: "a reported setting, by a query", SQL: "SELECT set_config('TimeZone', 'Asia/Tokyo', false)", Seen: "SHOW TimeZone"},
	{Reason: "set_config, local", SQL: "SELECT set_config('bindtest.tenant', '7', true)", Seen: tenant, Local: true},
	{Reason: "SET LOCAL", SQL: "SET LOCAL work_mem = '1MB'", Seen: "SHOW work_mem", Local: true, NoPrepare: true},
	{Reason: "a table that is dropped", SQL: "CREATE TEMP TABLE bindtest_temp (id int) ON COMMIT DROP", Seen: temps, Local: true, NoPrepare: true},
	{Reason: "a role", SQL: "SET ROLE app", Seen: "SHOW role", NoPrepare: true},
	{Reason: "a lock", SQL: "SELECT pg_advisory_lock(20240909)::text", Seen: advisory},
	{Reason: "a shared lock", SQL: "SELECT pg_try_advisory_lock_shared(20240909)", Seen: advisory},
	{Reason: "a temporary table", SQL: "CREATE TEMP TABLE bindtest_temp (id int)", Seen: temps, WriterOnly: true, NoPrepare: true},
	{Reason: "SELECT INTO", SQL: "SELECT 1 AS id INTO TEMP bindtest_temp", Seen: temps, WriterOnly: true, NoPrepare: true},
	{Reason: "a prepared statement", SQL: "PREPARE bindtest AS SELECT 1", Seen: "SELECT count(*) FROM pg_prepared_statements WHERE name = 'bindtest'", NoPrepare: true},
	{Reason: "a cursor", SQL: "DECLARE bindtest CURSOR WITH HOLD FOR SELECT 1", Seen: "SELECT count(*) FROM pg_cursors WHERE name = 'bindtest'", NoPrepare: true, WriterOnly: true},
	{Reason: "LISTEN", SQL: "LISTEN bindtest", Seen: "SELECT count(*) FROM pg_listening_channels()", NoPrepare: true, WriterOnly: true},
	{Reason: "behind another statement", SQL: "SELECT 1; SET search_path = ''", Seen: "SHOW search_path", NoPrepare: true},
}

// undo are attempts to take a reader's belt off.
var undo = []bindtest.Attempt{
	{Reason: "RESET ALL", SQL: "RESET ALL", Pinned: true},
	{Reason: "RESET", SQL: "RESET default_transaction_read_only", Pinned: true},
	{Reason: "DISCARD ALL", SQL: "DISCARD ALL", Pinned: true},
	{Reason: "SET TO DEFAULT", SQL: "SET default_transaction_read_only TO DEFAULT", Pinned: true},
	{Reason: "a SET rolled back", SQL: "BEGIN; SET default_transaction_read_only = off; ROLLBACK", Pinned: true},
	{Reason: "SET LOCAL", SQL: "BEGIN; SET LOCAL default_transaction_read_only = off; COMMIT", Pinned: true},
	{Reason: "SET off", SQL: "SET default_transaction_read_only = off"},
	{Reason: "SET off, then RESET ALL", SQL: "SET default_transaction_read_only = off; RESET ALL", Pinned: true},
	{Reason: "set_config", SQL: "SELECT set_config('default_transaction_read_only', 'off', false)"},
	{Reason: "SET SESSION CHARACTERISTICS", SQL: "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE"},
	{Reason: "a transaction left open", SQL: "BEGIN READ WRITE"},
	{Reason: "a failed transaction left open", SQL: "BEGIN READ WRITE; SELECT 1 / 0"},
	{Reason: "LISTEN", SQL: "LISTEN bindtest"},
	{Reason: "text that quotes otherwise", SQL: "SET standard_conforming_strings = off"},
	{Reason: "another encoding", SQL: "SET client_encoding = 'LATIN1'"},
}

// faults are what the server's answers prove.
var faults = []bindtest.FaultCase{
	{Reason: "a write in a read-only transaction", Want: binds.ReadOnly, Do: inTx(&sql.TxOptions{ReadOnly: true},
		"INSERT INTO bindtest_fault (id, n) VALUES (5, 5)")},
	{Reason: "a statement_timeout", Want: binds.Canceled, Do: run1("SET statement_timeout = '20ms'; SELECT pg_sleep(60)")},
	{Reason: "a lock_timeout", Want: binds.Retryable, Do: lockTimeout},
	{Reason: "a session ended by an administrator", Want: binds.Unknown, Do: run1("SELECT pg_terminate_backend(pg_backend_pid())")},
	{Reason: "a serialization failure", Want: binds.Retryable, Do: serializationFailure},
	{Reason: "a deadlock", Want: binds.Retryable, Do: deadlock},
	{Reason: "a deferred constraint at COMMIT", Want: binds.Refused, Do: deferredConstraint},
	{Reason: "COMMIT of a failed transaction", Want: binds.Refused, Do: commitFailed},
	{Reason: "a statement in a failed transaction", Want: binds.Refused, Do: inTx(nil, "SELECT 1 / 0", "SELECT 1")},
	{Reason: "a division by zero", Want: binds.Refused, Do: run1("SELECT 1 / 0")},
	{Reason: "rows left open", Want: binds.Refused, Do: rowsOpen},
	{Reason: "COPY, which needs a native connection", Want: binds.Unclassified, Do: run1("COPY bindtest_fault TO STDOUT")},
}

func run1(query string) func(context.Context, *binds.Engine) error {
	return func(ctx context.Context, e *binds.Engine) error {
		_, err := e.DB().ExecContext(ctx, query)
		return err
	}
}

// inTx returns the error of the last statement.
func inTx(opts *sql.TxOptions, queries ...string) func(context.Context, *binds.Engine) error {
	return func(ctx context.Context, e *binds.Engine) error {
		tx, err := e.DB().BeginTx(ctx, opts)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }()
		for _, q := range queries {
			_, err = tx.ExecContext(ctx, q)
		}
		return err
	}
}

func lockTimeout(ctx context.Context, e *binds.Engine) error {
	holder, err := e.DB().BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = holder.Rollback() }()
	if _, err := holder.ExecContext(ctx, "LOCK TABLE bindtest_fault"); err != nil {
		return err
	}
	return inTx(nil, "SET LOCAL lock_timeout = '20ms'", "SELECT * FROM bindtest_fault")(ctx, e)
}

func serializationFailure(ctx context.Context, e *binds.Engine) error {
	tx, err := e.DB().BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelSnapshot})
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.ExecContext(ctx, "SELECT * FROM bindtest_fault"); err != nil {
		return err
	}
	if err := run1("UPDATE bindtest_fault SET n = n + 1")(ctx, e); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "UPDATE bindtest_fault SET n = n + 1")
	return err
}

func deadlock(ctx context.Context, e *binds.Engine) error {
	if err := run1("INSERT INTO bindtest_fault (id, n) VALUES (50, 0), (51, 0)")(ctx, e); err != nil {
		return err
	}
	errs := make(chan error, 2)
	locked := make(chan struct{}, 2)
	both := make(chan struct{})
	for _, ids := range [][2]int{{50, 51}, {51, 50}} {
		go func() { errs <- lockBoth(ctx, e, ids, locked, both) }()
	}
	<-locked
	<-locked
	close(both)
	return errors.Join(<-errs, <-errs)
}

func lockBoth(ctx context.Context, e *binds.Engine, ids [2]int, locked chan<- struct{}, both <-chan struct{}) error {
	tx, err := e.DB().BeginTx(ctx, nil)
	if err != nil {
		locked <- struct{}{}
		return err
	}
	defer func() { _ = tx.Rollback() }()
	_, err = tx.ExecContext(ctx, "UPDATE bindtest_fault SET n = 1 WHERE id = $1", ids[0])
	locked <- struct{}{}
	if err != nil {
		return err
	}
	<-both
	_, err = tx.ExecContext(ctx, "UPDATE bindtest_fault SET n = 1 WHERE id = $1", ids[1])
	return err
}

func deferredConstraint(ctx context.Context, e *binds.Engine) error {
	if err := run1("CREATE TEMP TABLE bindtest_deferred (id int UNIQUE DEFERRABLE INITIALLY DEFERRED) ON COMMIT DROP")(ctx, e); err != nil {
		return err
	}
	tx, err := e.DB().BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	for _, q := range []string{
		"CREATE TEMP TABLE bindtest_deferred (id int UNIQUE DEFERRABLE INITIALLY DEFERRED) ON COMMIT DROP",
		"INSERT INTO bindtest_deferred VALUES (1), (1)",
	} {
		if _, err := tx.ExecContext(ctx, q); err != nil {
			return errors.Join(err, tx.Rollback())
		}
	}
	return tx.Commit()
}

func commitFailed(ctx context.Context, e *binds.Engine) error {
	tx, err := e.DB().BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	_, _ = tx.ExecContext(ctx, "SELECT 1 / 0") // the failure that the caller overlooks
	err = tx.Commit()
	if !errors.Is(err, ErrRolledBack) {
		return nil
	}
	return err
}

func rowsOpen(ctx context.Context, e *binds.Engine) error {
	tx, err := e.DB().BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	rows, err := tx.QueryContext(ctx, "SELECT generate_series(1, 3)")
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "SELECT 2")
	if !errors.Is(err, ErrRowsOpen) {
		return errors.Join(nil, rows.Close())
	}
	n := 0
	for rows.Next() {
		n++
	}
	if n != 3 || rows.Err() != nil {
		return rows.Err()
	}
	return errors.Join(err, rows.Close())
}
