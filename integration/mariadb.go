package integration

import (
	"context"
	"fmt"
	"path/filepath"
)

// mariadb is MariaDB.
type mariadb struct {
	mysqlFamily
	server, installer string
}

func newMariaDB(server, installer string) *mariadb {
	return &mariadb{mysqlFamily: mysqlFamily{scheme: "mariadb", words: mariadbWords}, server: server, installer: installer}
}

func (m *mariadb) program() (product, path string) { return "MariaDB", m.server }

// seed makes the system tables together with all accounts. Nothing of that is in a binary log, so the
// first GTID is the first write of a test, and copies of the seed agree without replication.
func (m *mariadb) seed(ctx context.Context, c *Cluster) error {
	statements := "FLUSH PRIVILEGES;\n" +
		"DELETE FROM mysql.global_priv WHERE User IN ('', 'root');\n" + // they would need no password
		"FLUSH PRIVILEGES;\n" + m.accountStatements(c)
	return c.seedAccounts(ctx, m.server, statements, func(file string) error {
		return c.runCommand(ctx, m.installer, append(m.installerArguments(), "--datadir="+c.workspace.path(seedDir),
			"--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve",
			"--extra-file="+file, mariadbLogSize,
			"--innodb-flush-log-at-trx-commit=0", "--innodb-flush-method=nosync", "--innodb-doublewrite=0")...)
	})
}

// The redo log is part of every copy of the seed.
const mariadbLogSize = "--innodb-log-file-size=16M"

// installerArguments tells the installer where the rest of its own version is, for it looks in the system first.
func (m *mariadb) installerArguments() []string {
	base := filepath.Dir(filepath.Dir(m.server))
	args := []string{"--no-defaults"}
	if base != "/usr" {
		args = append(args, "--basedir="+base)
	}
	return args
}

func (m *mariadb) command(s *Server) (string, []string) {
	args := append(m.arguments(s), mariadbLogSize, "--report-host="+s.name,
		// Replicate by GTID, and let a promoted replica hand on what it has got.
		"--binlog-format=ROW", "--log-slave-updates=1", "--gtid-strict-mode=1")
	if s.following() != nil {
		args = append(args, "--read-only=1")
	}
	if s.cluster.options.sync > 0 {
		args = append(args, "--rpl-semi-sync-slave-enabled=1",
			"--rpl-semi-sync-master-wait-point=AFTER_SYNC",
			fmt.Sprintf("--rpl-semi-sync-master-timeout=%d", semiSyncTimeout.Milliseconds()))
		if s.following() == nil {
			args = append(args, "--rpl-semi-sync-master-enabled=1")
		}
	}
	return m.server, m.chosen(s, args)
}
