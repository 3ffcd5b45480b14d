package mysqlbind_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun/dialect/feature"

	"github.com/bindery-go/bindery/binds/bindtest"
	"github.com/bindery-go/bindery/internal/teston"
)

// A product is what the tests must know of MariaDB or MySQL, where the two differ.
type product struct {
	name      string
	processes string // the table of sessions
	written   string // an expression: all that is in the server's binary log

	// readOnly and writable change a server's role. MySQL's replica has super_read_only, which stops
	// administrators, too; MariaDB's read_only lets them pass.
	readOnly, writable string

	// limit is a variable that bounds statements, in a unit of its own; tight is 50 ms, unlimited none.
	limit, tight, unlimited string

	readOnlyVariable string // of a session, by its oldest name

	feature feature.Feature // one that this product has and the other lacks

	refused  []bindtest.Statement // beside those of both
	undo     []bindtest.Attempt   // beside undoOnBoth
	faults   []bindtest.FaultCase // beside faultsOnBoth
	applier  func(threads string) string
	received string // the column of the replica's status that says what has come
	status   string

	needsTLS   string // the error that demands TLS; MariaDB 11.8 has MySQL\'s
	killedWait string // the error of GET_LOCK under KILL QUERY
}

var products = map[string]*product{"MariaDB": mariaDB, "MySQL": mySQL}

var mariaDB = &product{
	name:             "MariaDB",
	processes:        "information_schema.PROCESSLIST",
	written:          "@@global.gtid_binlog_pos",
	readOnly:         "SET GLOBAL read_only = 1",
	writable:         "SET GLOBAL read_only = 0",
	limit:            "max_statement_time",
	tight:            "0.05",
	unlimited:        "0",
	readOnlyVariable: "tx_read_only",
	feature:          feature.InsertReturning,
	refused:          refusedOnMariaDB,
	undo:             undoOnMariaDB,
	faults:           faultsOfMariaDB,
	applier: func(threads string) string {
		return "STOP SLAVE; SET GLOBAL slave_parallel_threads = " + threads + "; START SLAVE"
	},
	received:   "Gtid_IO_Pos",
	status:     "SHOW SLAVE STATUS",
	needsTLS:   "Access denied",
	killedWait: "the wait was killed",
}

var mySQL = &product{
	name:             "MySQL",
	processes:        "performance_schema.processlist",
	written:          "@@global.gtid_executed",
	readOnly:         "SET GLOBAL super_read_only = 1",
	writable:         "SET GLOBAL read_only = 0", // and super_read_only with it
	limit:            "max_execution_time",
	tight:            "50",
	unlimited:        "0",
	readOnlyVariable: "transaction_read_only",
	feature:          feature.DeleteTableAlias,
	refused:          refusedOnMySQL,
	undo:             undoOnMySQL,
	faults:           faultsOfMySQL,
	applier: func(threads string) string {
		return "STOP REPLICA; SET GLOBAL replica_parallel_workers = " + threads + "; START REPLICA"
	},
	received:   "Retrieved_Gtid_Set",
	status:     "SHOW REPLICA STATUS",
	needsTLS:   "the server wants TLS: give ssl-mode=VERIFY_IDENTITY",
	killedWait: "Error 1317",
}

// server is the product that the tests run on.
func server() *product { return products[cluster.Primary.Version().Product] }

// onProduct skips a test about one product's own ways when the tests run on the other.
func onProduct(t *testing.T, p *product, reason string) {
	t.Helper()
	if server() != p {
		t.Skipf("%s: %s", p.name, reason)
	}
}

// isGroup reports whether the cluster is a group whose members agree, rather than a primary that replicas follow.
func isGroup() bool {
	return teston.MySQLFamily() == teston.Group || teston.MySQLFamily() == teston.Galera
}

// following skips a test that changes how replicas follow, where none does.
func following(t *testing.T) {
	t.Helper()
	if isGroup() {
		t.Skipf("the members of a %s follow nobody, and insist on GTIDs, a binary log and primary keys", teston.MySQLFamily())
	}
}

// series is a table expression of n rows, numbered from 1 in the column seq.
func series(n int, alias string) string {
	return fmt.Sprintf("JSON_TABLE(CONCAT('[0', REPEAT(',0', %d), ']'), '$[*]' COLUMNS (seq FOR ORDINALITY)) AS %s", n-1, alias)
}

// onPrimary runs statements as the administrator. A statement may be for one product alone: "MariaDB: …".
func onPrimary(t *testing.T, statements ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 20*time.Second) // cleanups call it, too
	defer cancel()
	for _, q := range statements {
		if name, rest, ok := strings.Cut(q, ": "); ok && products[name] != nil {
			if products[name] != server() {
				continue
			}
			q = rest
		}
		require.NoError(t, cluster.Primary.Exec(ctx, q), q)
	}
}
