package mysqlbind_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun/dialect"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/binds/bindtest"
	"github.com/bindery-go/bindery/binds/mysqlbind"
	"github.com/bindery-go/bindery/integration"
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

		RefusedOnReader: refusedOnReader,
		Undo:            undo,

		Slow:     "SELECT SLEEP(60)",
		SlowRows: "SELECT REPEAT('x', 20000), SLEEP(0.1) FROM seq_1_to_600",
		Running: func(ctx context.Context) (n int, err error) {
			err = admin.DB().QueryRowContext(ctx,
				"SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = 'app' AND INFO IS NOT NULL").Scan(&n)
			return n, err
		},
		Connections: func(ctx context.Context) (n int, err error) {
			err = admin.DB().QueryRowContext(ctx,
				"SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = 'app'").Scan(&n)
			return n, err
		},
		ConnID: "SELECT CONNECTION_ID()",
		Kill:   func(ctx context.Context, id string) error { return kill(ctx, admin, id) },
		Sync:   cluster.WaitReplayed,
		Native: isNative,
		Faults: serverFaults,

		Positions:  positions(),
		Interrupts: interrupts(),

		Columns: map[reflect.Type]string{
			reflect.TypeFor[string](): "LONGTEXT", // Bun's VARCHAR(255) is short for the suite
		},
	})
}

func positions() *bindtest.Positions {
	replica := cluster.Replicas[0]
	return &bindtest.Positions{
		Ways:   []string{cluster.Primary.SocketURI()},
		Loads:  []bindtest.Load{parallel("0"), parallel("4")},
		Pause:  replica.PauseReplay,
		Resume: replica.ResumeReplay,
		Received: func(ctx context.Context, p binds.Position) (bool, error) {
			received, err := replicaStatus(ctx, replica, "Gtid_IO_Pos")
			return received != "" && strings.HasSuffix(p.String(), "/"+received), err
		},
		Crash: func(ctx context.Context) error { return errors.Join(replica.Kill(ctx), replica.Start(ctx)) },
	}
}

// parallel is a replica that applies transactions in so many threads.
func parallel(threads string) bindtest.Load {
	set := func(ctx context.Context, threads string) error {
		return cluster.Replicas[0].Exec(ctx, "STOP SLAVE; SET GLOBAL slave_parallel_threads = "+threads+"; START SLAVE")
	}
	return bindtest.Load{
		Reason: "slave_parallel_threads=" + threads,
		Setup: func(t *testing.T) {
			t.Cleanup(func() { assert.NoError(t, set(context.WithoutCancel(t.Context()), "0")) })
			require.NoError(t, set(t.Context(), threads))
		},
	}
}

// replicaStatus returns a column of SHOW SLAVE STATUS.
func replicaStatus(ctx context.Context, replica *integration.Server, column string) (_ string, err error) {
	admin, err := binds.Open(ctx, "test/status", replica.AdminURI())
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, admin.Close()) }()
	rows, err := admin.DB().QueryContext(ctx, "SHOW SLAVE STATUS")
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
		Running: "SELECT COUNT(*) FROM information_schema.PROCESSLIST" +
			" WHERE USER = 'app' AND INFO IS NOT NULL AND ID <> CONNECTION_ID()",
		Freeze: replica.Freeze,
		Thaw:   replica.Thaw,
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
		q := "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE ID = " + id
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
	for _, q := range []string{
		"CREATE OR REPLACE TABLE app.my_side (id INT PRIMARY KEY AUTO_INCREMENT)",
		"CREATE OR REPLACE SEQUENCE app.my_seq",
		"CREATE OR REPLACE PROCEDURE app.my_write() SQL SECURITY DEFINER INSERT INTO app.my_side VALUES (NULL)",
		"CREATE OR REPLACE FUNCTION app.my_writes() RETURNS INT DETERMINISTIC MODIFIES SQL DATA SQL SECURITY DEFINER BEGIN INSERT INTO app.my_side VALUES (NULL); RETURN 1; END",
	} {
		require.NoError(t, cluster.Primary.Exec(bounded(t), q), q)
	}
	t.Cleanup(func() {
		for _, q := range []string{"DROP TABLE app.my_side", "DROP SEQUENCE app.my_seq", "DROP PROCEDURE app.my_write", "DROP FUNCTION app.my_writes"} {
			require.NoError(t, cluster.Primary.Exec(context.WithoutCancel(t.Context()), q), q)
		}
	})
}

const (
	sideTrace = "SELECT COUNT(*) FROM my_side"
	gtids     = "SELECT @@global.gtid_binlog_pos"
)

// refusedOnReader are the rows of FACTS B4 that a reader must refuse.
var refusedOnReader = []bindtest.Statement{
	{Reason: "INSERT", SQL: "INSERT INTO bindtest_belt VALUES (2, 2)"},
	{Reason: "INSERT SELECT of no row", SQL: "INSERT INTO bindtest_belt SELECT 2, 2 FROM DUAL WHERE FALSE"},
	{Reason: "INSERT RETURNING", SQL: "INSERT INTO bindtest_belt VALUES (2, 2) RETURNING id"},
	{Reason: "UPDATE", SQL: "UPDATE bindtest_belt SET n = 2"},
	{Reason: "UPDATE of no row", SQL: "UPDATE bindtest_belt SET n = 2 WHERE FALSE"},
	{Reason: "DELETE", SQL: "DELETE FROM bindtest_belt"},
	{Reason: "DELETE of no row", SQL: "DELETE FROM bindtest_belt WHERE FALSE"},
	{Reason: "REPLACE", SQL: "REPLACE INTO bindtest_belt VALUES (1, 2)"},
	{Reason: "TRUNCATE", SQL: "TRUNCATE TABLE bindtest_belt"},
	{Reason: "a leading comment", SQL: "/* read */ -- only\nUPDATE bindtest_belt SET n = 2"},
	{Reason: "an executable comment", SQL: "/*!50000 UPDATE bindtest_belt SET n = 2 */"},
	{Reason: "MyISAM", Setup: []string{"CREATE TABLE my_isam (id INT) ENGINE=MyISAM"}, SQL: "INSERT INTO my_isam VALUES (1)",
		Trace: "SELECT COUNT(*) FROM my_isam", Cleanup: []string{"DROP TABLE my_isam"}},
	{Reason: "Aria", Setup: []string{"CREATE TABLE my_aria (id INT) ENGINE=Aria"}, SQL: "INSERT INTO my_aria VALUES (1)",
		Trace: "SELECT COUNT(*) FROM my_aria", Cleanup: []string{"DROP TABLE my_aria"}},
	{Reason: "CREATE TABLE", SQL: "CREATE TABLE my_new (id INT)", Trace: tables},
	{Reason: "CREATE TABLE AS", SQL: "CREATE TABLE my_new AS SELECT 1", Trace: tables},
	{Reason: "CREATE INDEX", SQL: "CREATE INDEX my_index ON bindtest_belt (n)"},
	{Reason: "ALTER TABLE", SQL: "ALTER TABLE bindtest_belt ADD COLUMN x INT"},
	{Reason: "DROP TABLE", SQL: "DROP TABLE bindtest_belt"},
	{Reason: "RENAME TABLE", SQL: "RENAME TABLE bindtest_belt TO my_new", Trace: tables},
	{Reason: "CREATE VIEW", SQL: "CREATE VIEW my_new AS SELECT 1", Trace: tables},
	{Reason: "CREATE TEMPORARY TABLE", SQL: "CREATE TEMPORARY TABLE my_temp (id INT)"},
	{Reason: "OPTIMIZE TABLE", SQL: "OPTIMIZE TABLE bindtest_belt", Trace: gtids},
	{Reason: "REPAIR TABLE", SQL: "REPAIR TABLE bindtest_belt", Trace: gtids},
	{Reason: "ANALYZE TABLE", SQL: "ANALYZE TABLE bindtest_belt", Trace: gtids},
	{Reason: "FLUSH TABLES", SQL: "FLUSH TABLES", Trace: gtids},
	{Reason: "FLUSH STATUS behind a comment", SQL: "/* x */FLUSH STATUS", Trace: gtids},
	{Reason: "FOR UPDATE", SQL: "SELECT * FROM bindtest_belt FOR UPDATE"},
	{Reason: "FOR UPDATE SKIP LOCKED", SQL: "SELECT * FROM bindtest_belt FOR UPDATE SKIP LOCKED"},
	{Reason: "FOR UPDATE NOWAIT", SQL: "SELECT * FROM bindtest_belt FOR UPDATE NOWAIT"},
	{Reason: "LOCK TABLES WRITE", SQL: "LOCK TABLES bindtest_belt WRITE", NoPrepare: true},
	{Reason: "NEXTVAL", SQL: "SELECT NEXTVAL(my_seq)", Trace: "SELECT next_not_cached_value FROM my_seq"},
	{Reason: "SETVAL", SQL: "SELECT SETVAL(my_seq, 5000)", Trace: "SELECT next_not_cached_value FROM my_seq"},
	{Reason: "a function that writes", SQL: "SELECT my_writes()", Trace: sideTrace},
	{Reason: "DO of a function that writes", SQL: "DO my_writes()", Trace: sideTrace},
	{Reason: "SET to a function that writes", SQL: "SET @x = my_writes()", Trace: sideTrace},
	{Reason: "CALL whose definer passes read_only", SQL: "CALL my_write()", Trace: sideTrace},
	{Reason: "EXPLAIN INSERT", SQL: "EXPLAIN INSERT INTO bindtest_belt VALUES (2, 2)"},
	{Reason: "ANALYZE of an INSERT", SQL: "ANALYZE FORMAT=JSON INSERT INTO bindtest_belt VALUES (2, 2)"},
	{Reason: "EXECUTE IMMEDIATE of an INSERT", SQL: "EXECUTE IMMEDIATE 'INSERT INTO bindtest_belt VALUES (2, 2)'", NoPrepare: true},
	{Reason: "a compound statement", SQL: "BEGIN NOT ATOMIC INSERT INTO bindtest_belt VALUES (2, 2); END"},
	{Reason: "SET STATEMENT for an INSERT", SQL: "SET STATEMENT max_statement_time = 10 FOR INSERT INTO bindtest_belt VALUES (2, 2)"},
	{Reason: "START TRANSACTION READ WRITE", SQL: "START TRANSACTION READ WRITE"},
	{Reason: "START TRANSACTION READ WRITE in comments", SQL: "start /* a */ transaction READ/**/WRITE"},
	{Reason: "START TRANSACTION READ WRITE in an executable comment", SQL: "/*!START TRANSACTION READ WRITE*/"},
	{Reason: "SET TRANSACTION READ WRITE", SQL: "SET TRANSACTION READ WRITE"},
	{Reason: "SET SESSION TRANSACTION READ WRITE", SQL: "SET SESSION TRANSACTION READ WRITE"},
	{Reason: "SET SESSION TRANSACTION with a level", SQL: "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE"},
	{Reason: "SET tx_read_only", SQL: "SET tx_read_only = 0"},
	{Reason: "SET of the variable among others", SQL: "SET @a = '#', @@session.`tx_read_only` = 0"},
	{Reason: "SET STATEMENT of the variable", SQL: "SET STATEMENT tx_read_only = 0 FOR INSERT INTO bindtest_belt VALUES (2, 2)"},
	{Reason: "EXECUTE IMMEDIATE of SET", SQL: "EXECUTE IMMEDIATE 'SET SESSION TRANSACTION READ WRITE'"},
	{Reason: "PREPARE of START TRANSACTION READ WRITE", SQL: "PREPARE s FROM 'START TRANSACTION READ WRITE'"},
}

const tables = "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'app' AND TABLE_NAME LIKE 'my%'"

// undo tries to take the belt off a session.
var undo = attempts(
	"START TRANSACTION READ WRITE",
	"BEGIN",
	"SET TRANSACTION READ WRITE",
	"SET SESSION TRANSACTION READ WRITE",
	"SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ WRITE",
	"SET tx_read_only = OFF",
	"SET @@tx_read_only = DEFAULT",
	"SET SESSION `tx_read_only` = 0",
	"SET autocommit = 0",
	"SET STATEMENT tx_read_only = 0 FOR SELECT 1",
	"BEGIN NOT ATOMIC SET SESSION TRANSACTION READ WRITE; END",
	"EXECUTE IMMEDIATE 'SET SESSION tx_read_only = 0'",
	"XA START 'my'",
	"COMMIT",
	"COMMIT AND CHAIN",
	"LOCK TABLES bindtest_belt READ",
	"USE app",
)

func attempts(statements ...string) (as []bindtest.Attempt) {
	for _, q := range statements {
		as = append(as, bindtest.Attempt{Reason: q, SQL: q, Pinned: true})
	}
	// Here the text is hidden. The connection must not serve anybody else.
	hidden := "EXECUTE IMMEDIATE CONCAT('SET SESSION tx_read', '_only = 0')"
	return append(as, bindtest.Attempt{Reason: "a text put together on the server", SQL: hidden})
}

// serverFaults are what the suite cannot know of a MariaDB server.
var serverFaults = []bindtest.FaultCase{
	{Reason: "a read-only transaction", Do: func(ctx context.Context, e *binds.Engine) error {
		return onConn(ctx, e, "START TRANSACTION READ ONLY", "INSERT INTO bindtest_fault VALUES (3, 3)")
	}, Want: binds.ReadOnly},
	{Reason: "a read-only server", Do: func(ctx context.Context, _ *binds.Engine) error {
		return onReplica(ctx, "DELETE FROM bindtest_fault")
	}, Want: binds.ReadOnly},
	{Reason: "a lock wait that times out", Do: lockWait, Want: binds.Retryable},
	{Reason: "NOWAIT on a locked row", Do: func(ctx context.Context, e *binds.Engine) error {
		return whileLocked(ctx, e, "SELECT * FROM bindtest_fault FOR UPDATE NOWAIT")
	}, Want: binds.Retryable},
	{Reason: "a deadlock", Do: deadlock, Want: binds.Retryable},
	{Reason: "max_statement_time", Do: func(ctx context.Context, e *binds.Engine) error {
		return onConn(ctx, e, "SET STATEMENT max_statement_time = 0.05 FOR SELECT SLEEP(20) FROM bindtest_fault, seq_1_to_9")
	}, Want: binds.Canceled},
	{Reason: "KILL QUERY", Do: func(ctx context.Context, e *binds.Engine) error {
		return killed(ctx, e, "KILL QUERY ")
	}, Want: binds.Canceled},
	{Reason: "KILL in the middle", Do: func(ctx context.Context, e *binds.Engine) error {
		return killed(ctx, e, "KILL ")
	}, Want: binds.Unknown},
	{Reason: "a context that ends", Do: func(ctx context.Context, e *binds.Engine) error {
		ctx, cancel := context.WithCancel(ctx)
		cancel()
		_, err := e.DB().ExecContext(ctx, "SELECT 1")
		return err
	}, Want: binds.Unknown},
	{Reason: "a duplicate key in German", Do: func(ctx context.Context, e *binds.Engine) error {
		return onConn(ctx, e, "SET lc_messages = 'de_DE'", "INSERT INTO bindtest_fault VALUES (1, 1)")
	}, Want: binds.Refused},
	{Reason: "several statements in one", Do: func(ctx context.Context, e *binds.Engine) error {
		return onConn(ctx, e, "SELECT 1; DELETE FROM bindtest_fault")
	}, Want: binds.Refused},
	{Reason: "LOAD DATA LOCAL", Do: func(ctx context.Context, e *binds.Engine) error {
		return onConn(ctx, e, "LOAD DATA LOCAL INFILE '/etc/hostname' INTO TABLE bindtest_fault")
	}, Want: binds.Unclassified},
}
