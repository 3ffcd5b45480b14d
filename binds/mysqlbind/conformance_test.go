package mysqlbind_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun/dialect"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/binds/bindtest"
	"github.com/bindery-go/bindery/binds/mysqlbind"
	"github.com/bindery-go/bindery/integration"
	"github.com/bindery-go/bindery/internal/teston"
)

const wrongPassword = "wrong-Vk7pass"

// TestConformance runs the suite on a primary with a replica. The readers beside the writer are FACTS'
// "belt on the writer"; those on the replica are its ordinary user, whom read_only stops too, and its
// administrator, whom only the belt stops.
func TestConformance(t *testing.T) {
	admin := administrator(t)
	prepareProcedures(t)
	bindtest.Run(t, bindtest.Harness{
		Driver:  mysqlbind.Driver{},
		Dialect: dialect.MySQL,
		Writer:  cluster.Primary.URI(),
		Readers: []string{cluster.Replicas[0].URI(), cluster.Replicas[0].AdminURI()},
		Dead:    "mariadb://app:" + url.QueryEscape(password) + "@127.0.0.1:1/app",
		Login:   fmt.Sprintf("mariadb://app:%s@%s/app", wrongPassword, cluster.Primary.Addr()),
		Secrets: []string{password, url.PathEscape(password), url.QueryEscape(password), wrongPassword},

		RefusedOnReader: slices.Concat(refusedOnBoth(), server().refused),
		Undo:            slices.Concat(undoOnBoth, server().undo),
		Sessions: []bindtest.SessionChange{
			{Reason: "SET", SQL: "SET FOREIGN_KEY_CHECKS = 0", Seen: "SELECT @@foreign_key_checks"},
			{Reason: "as dumps have it", SQL: "/*!40014 SET FOREIGN_KEY_CHECKS = 0 */", Seen: "SELECT @@foreign_key_checks", NoPrepare: true},
			{Reason: "a variable", SQL: "SET @bindtest = 'x'", Seen: "SELECT @bindtest"},
			{Reason: "a variable, assigned", SQL: "SELECT @bindtest := 'x'", Seen: "SELECT @bindtest"},
			{Reason: "a variable, INTO", SQL: "SELECT 'x' INTO @bindtest", Seen: "SELECT @bindtest"},
			{Reason: "a database", SQL: "USE information_schema", Seen: "SELECT DATABASE()", NoPrepare: true},
			{Reason: "a lock", SQL: "SELECT GET_LOCK('bindtest', 10)", Seen: "SELECT IS_USED_LOCK('bindtest') IS NOT NULL"},
			{Reason: "a mode", SQL: "SET SESSION sql_mode = 'ANSI_QUOTES'", Seen: "SELECT @@sql_mode"},
		},

		Slow:     "SELECT SLEEP(60)",
		SlowRows: "SELECT REPEAT('x', 20000), SLEEP(0.1) FROM " + series(600, "a"),
		// A division by zero is NULL here.
		FailsAtZero: "9223372036854775807 + (n = 0)",
		Running: func(ctx context.Context) (n int, err error) {
			err = admin.DB().QueryRowContext(ctx,
				"SELECT COUNT(*) FROM "+server().processes+" WHERE USER = 'app' AND INFO IS NOT NULL").Scan(&n)
			return n, err
		},
		Connections: func(ctx context.Context) (n int, err error) {
			err = admin.DB().QueryRowContext(ctx,
				"SELECT COUNT(*) FROM "+server().processes+" WHERE USER = 'app'").Scan(&n)
			return n, err
		},
		ConnID: "SELECT CONNECTION_ID()",
		Kill:   func(ctx context.Context, id string) error { return kill(ctx, admin, id) },
		Sync:   cluster.WaitReplayed,
		Native: isNative,
		Faults: slices.Concat(faultsHere(), server().faults),

		Positions:  positions(),
		Interrupts: interrupts(),

		Columns: map[reflect.Type]string{
			reflect.TypeFor[string](): "LONGTEXT", // Bun's VARCHAR(255) is short for the suite
		},
	})
}

func positions() *bindtest.Positions {
	replica := cluster.Replicas[0]
	loads := []bindtest.Load{parallel("0"), parallel("4")}
	if isGroup() {
		loads = nil // as the members are
	}
	return &bindtest.Positions{
		Ways:     []string{cluster.Primary.SocketURI()},
		Loads:    loads,
		Pause:    replica.PauseReplay,
		Resume:   replica.ResumeReplay,
		Received: func(ctx context.Context, p binds.Position) (bool, error) { return received(ctx, replica, p) },
		Crash:    func(ctx context.Context) error { return errors.Join(replica.Kill(ctx), replica.Start(ctx)) },
	}
}

// received reports whether the replica has got all of p from the primary, replayed or not. What a MySQL
// replica tells as received leaves out what it had before its relay log began.
func received(ctx context.Context, replica *integration.Server, p binds.Position) (bool, error) {
	got, err := receivedSet(ctx, replica)
	if err != nil || got == "" {
		return false, err
	}
	if server() == mariaDB {
		return strings.HasSuffix(p.String(), "/"+got), nil
	}
	shown, err := replica.QueryString(ctx, "SELECT @@global.gtid_executed")
	if err != nil {
		return false, err
	}
	all, err := replica.QueryString(ctx, fmt.Sprintf("SELECT GTID_SUBSET('%s', '%s,%s')",
		strings.TrimPrefix(p.String(), "mysql/"), shown, got))
	return all == "1", err
}

func receivedSet(ctx context.Context, replica *integration.Server) (string, error) {
	if teston.MySQLFamily() == teston.Group {
		return replica.QueryString(ctx, "SELECT RECEIVED_TRANSACTION_SET FROM performance_schema.replication_connection_status"+
			" WHERE CHANNEL_NAME = 'group_replication_applier'")
	}
	return replicaStatus(ctx, replica, server().received)
}

// parallel is a replica that applies transactions in so many threads.
func parallel(threads string) bindtest.Load {
	set := func(ctx context.Context, threads string) error {
		return cluster.Replicas[0].Exec(ctx, server().applier(threads))
	}
	return bindtest.Load{
		Reason: "appliers: " + threads,
		Setup: func(t *testing.T) {
			t.Cleanup(func() { assert.NoError(t, set(context.WithoutCancel(t.Context()), "0")) })
			require.NoError(t, set(t.Context(), threads))
		},
	}
}

// replicaStatus returns a column of what the replica tells of its replication.
func replicaStatus(ctx context.Context, replica *integration.Server, column string) (_ string, err error) {
	admin, err := binds.Open(ctx, "test/status", replica.AdminURI())
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, admin.Close()) }()
	rows, err := admin.DB().QueryContext(ctx, server().status)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	columns, err := rows.Columns()
	if err != nil {
		return "", err
	}
	var text sql.NullString
	into := make([]any, len(columns))
	for i, name := range columns {
		into[i] = new(any)
		if name == column {
			into[i] = &text
		}
	}
	if !rows.Next() {
		return "", errors.Join(rows.Err(), sql.ErrNoRows)
	}
	return text.String, rows.Scan(into...)
}

func interrupts() *bindtest.Interrupts {
	replica := cluster.Replicas[0]
	return &bindtest.Interrupts{
		Held: endless("my-held"),
		Running: "SELECT COUNT(*) FROM " + server().processes +
			" WHERE USER = 'app' AND INFO IS NOT NULL AND ID <> CONNECTION_ID()",
		Freeze: replica.Freeze,
		Thaw:   func() error { return errors.Join(replica.Thaw(), cluster.WaitReplayed(context.Background())) },
	}
}

// administrator opens the administrator's pool of one connection.
func administrator(t *testing.T) *binds.Engine {
	e := engine(t, cluster.Primary.AdminURI(), binds.WithPool(binds.Pool{MaxOpen: 1}))
	require.NoError(t, e.Ping(bounded(t)))
	return e
}

func kill(ctx context.Context, admin *binds.Engine, id string) error {
	if _, err := admin.DB().ExecContext(ctx, "KILL "+id); err != nil {
		return err
	}
	for n := 1; n > 0; {
		q := "SELECT COUNT(*) FROM " + server().processes + " WHERE ID = " + id
		if err := admin.DB().QueryRowContext(ctx, q).Scan(&n); err != nil {
			return err
		}
	}
	return nil
}

func isNative(conn any) error {
	if name := reflect.TypeOf(conn).String(); name != "*mysql.mysqlConn" {
		return fmt.Errorf("the connection is a %s", name)
	}
	return nil
}

// prepareProcedures makes what writes behind a name. Its definer may write on a read-only server.
func prepareProcedures(t *testing.T) {
	drop := []string{
		"DROP TABLE IF EXISTS app.my_side", "DROP PROCEDURE IF EXISTS app.my_write", "DROP PROCEDURE IF EXISTS app.my_disarm",
		"DROP FUNCTION IF EXISTS app.my_writes", "MariaDB: DROP SEQUENCE IF EXISTS app.my_seq",
	}
	onPrimary(t, drop...)
	onPrimary(t,
		"CREATE TABLE app.my_side (id INT PRIMARY KEY AUTO_INCREMENT)",
		"MariaDB: CREATE SEQUENCE app.my_seq NOCACHE",
		"CREATE PROCEDURE app.my_write() SQL SECURITY DEFINER INSERT INTO app.my_side VALUES (NULL)",
		"CREATE PROCEDURE app.my_disarm() SET SESSION TRANSACTION READ WRITE",
		"CREATE FUNCTION app.my_writes() RETURNS INT DETERMINISTIC MODIFIES SQL DATA SQL SECURITY DEFINER BEGIN INSERT INTO app.my_side VALUES (NULL); RETURN 1; END",
	)
	t.Cleanup(func() { onPrimary(t, drop...) })
}
