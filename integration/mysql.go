package integration

import (
	"context"
	"fmt"
	"path/filepath"
)

// mysqlServer is MySQL.
type mysqlServer struct {
	mysqlFamily
	server string // mysqld
}

func newMySQL(server string) *mysqlServer {
	return &mysqlServer{mysqlFamily: mysqlFamily{scheme: "mysql", words: mysqlWords}, server: server}
}

func (m *mysqlServer) program() (product, path string) { return "MySQL", m.server }

// seed makes the data dictionary together with all accounts. Nothing of that is in a binary log, so the
// first GTID is the first write of a test, and copies of the seed agree without replication.
func (m *mysqlServer) seed(ctx context.Context, c *Cluster) error {
	data := c.workspace.path(seedDir)
	statements := m.accountStatements(c) +
		"GRANT GROUP_REPLICATION_STREAM ON *.* TO " + replicaUser + "@'%';\n" +
		"DROP USER root@localhost;\n" // it would need no password
	return c.seedAccounts(ctx, m.server, statements, func(file string) error {
		err := c.runCommand(ctx, m.server, "--no-defaults", "--initialize-insecure", "--datadir="+data,
			"--init-file="+file, "--skip-log-bin", "--secure-file-priv=", "--auto-generate-certs=OFF",
			// A redo log that is not full at once, and no threads that wait for each other: two seconds.
			"--innodb-redo-log-capacity=64M", "--innodb-use-native-aio=0", "--innodb-log-writer-threads=OFF",
			"--innodb-flush-log-at-trx-commit=0", "--innodb-flush-method=nosync", "--innodb-doublewrite=0")
		if err != nil {
			return err
		}
		// It holds server_uuid: each copy draws its own.
		return c.workspace.removeInside(filepath.Join(data, "auto.cnf"))
	})
}

func (m *mysqlServer) command(s *Server) (string, []string) {
	args := append(m.arguments(s), "--report-host="+s.name)
	if s.following() != nil {
		args = append(args, "--super-read-only=1")
	}
	if n := s.cluster.options.sync; n > 0 {
		args = append(args,
			"--plugin-load-add=semisync_source.so", "--plugin-load-add=semisync_replica.so",
			"--rpl-semi-sync-replica-enabled=1",
			"--rpl-semi-sync-source-wait-point=AFTER_SYNC",
			fmt.Sprintf("--rpl-semi-sync-source-wait-for-replica-count=%d", n),
			fmt.Sprintf("--rpl-semi-sync-source-timeout=%d", semiSyncTimeout.Milliseconds()))
		if s.following() == nil { // on a replica the applier would wait for replicas of its own
			args = append(args, "--rpl-semi-sync-source-enabled=1")
		}
	}
	return m.server, m.chosen(s, append(args, mysqlSettings...))
}

var mysqlSettings = []string{
	"--gtid-mode=ON", "--enforce-gtid-consistency=ON",
	"--mysqlx=OFF",              // a second port
	"--secure-file-priv=",       // the default is a directory of the system's
	"--auto-generate-certs=OFF", // TLS only where the cluster has it
	"--innodb-redo-log-capacity=64M", "--innodb-use-native-aio=0", "--innodb-log-writer-threads=OFF",
}
