package integration

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// replicationWords are what the two products call the same things.
type replicationWords struct {
	replica    string // in statements: STOP REPLICA
	sqlRunning string // the column of the status that says whether the applier runs
	semiSync   string // the variable that has a primary wait for its replicas
	writable   []string
}

var (
	mariadbWords = replicationWords{
		replica: "SLAVE", sqlRunning: "Slave_SQL_Running", semiSync: "rpl_semi_sync_master_enabled",
		writable: []string{"SET GLOBAL read_only = 0"},
	}
	mysqlWords = replicationWords{
		replica: "REPLICA", sqlRunning: "Replica_SQL_Running", semiSync: "rpl_semi_sync_source_enabled",
		writable: []string{"SET GLOBAL super_read_only = 0", "SET GLOBAL read_only = 0"},
	}
)

// semiSyncTimeout is how long a commit waits for its replicas before it would go on without: longer than
// any test.
const semiSyncTimeout = 24 * time.Hour

// status returns a replica's status by column; it is empty on a primary.
func (m mysqlFamily) status(ctx context.Context, s *Server) (map[string]string, error) {
	return s.rowOf(ctx, "SHOW "+m.words.replica+" STATUS")
}

// rowOf returns the first row of a query by column, empty if there is none.
func (s *Server) rowOf(ctx context.Context, query string) (map[string]string, error) {
	byColumn := make(map[string]string)
	err := s.ask(ctx, "", "query", func(ctx context.Context, conn *sql.Conn) error {
		row, err := firstRow(ctx, conn, query)
		for _, v := range row {
			byColumn[v.column] = v.text
		}
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	return byColumn, err
}

// rebuild starts from the seed again: every server's binary log begins there. As a new server: MariaDB would
// skip the events that it wrote itself under its old number. On MySQL the copy draws a server_uuid of its own.
func (mysqlFamily) rebuild(ctx context.Context, s, _ *Server) error {
	s.id.Store(s.cluster.lastID.Add(1))
	return s.copySeed(ctx)
}

func (m mysqlFamily) pause(ctx context.Context, s *Server) error {
	return s.exec(ctx, "", "STOP "+m.words.replica+" SQL_THREAD")
}

func (m mysqlFamily) resume(ctx context.Context, s *Server) error {
	return s.exec(ctx, "", "START "+m.words.replica+" SQL_THREAD")
}

func wholeSeconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }

// promoteWhen makes a replica a primary once what it has received is applied, unless the test wanted it not to be.
func (m mysqlFamily) promoteWhen(ctx context.Context, s *Server,
	applied func(ctx context.Context, s *Server, status map[string]string) (bool, error)) error {
	if err := s.exec(ctx, "", "STOP "+m.words.replica+" IO_THREAD"); err != nil {
		return err
	}
	status, err := m.status(ctx, s)
	if err == nil && status[m.words.sqlRunning] == "Yes" && status["SQL_Delay"] == "0" {
		err = poll(ctx, func() (bool, error) { return applied(ctx, s, status) })
	}
	if err != nil {
		return err
	}
	statements := append([]string{"STOP " + m.words.replica, "RESET " + m.words.replica + " ALL"}, m.words.writable...)
	if s.cluster.options.sync > 0 {
		statements = append(statements, "SET GLOBAL "+m.words.semiSync+" = 1")
	}
	return s.exec(ctx, "", statements...)
}
