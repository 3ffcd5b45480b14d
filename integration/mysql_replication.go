package integration

import (
	"context"
	"fmt"
	"time"
)

// semiSyncTimeout is how long a commit waits for its replicas before it would go on without: longer than
// any test.
const semiSyncTimeout = 24 * time.Hour

const replicaStatus = "SHOW REPLICA STATUS"

// position returns the GTIDs of what has been committed here, "" if nothing was.
func (*mysqlServer) position(ctx context.Context, primary *Server) (string, error) {
	return primary.QueryString(ctx, "SELECT @@global.gtid_executed")
}

// replayed wants the connection to the primary, and that the replica has not diverged: one that holds what its new
// primary never had follows it without an error. Its own transactions are no matter, such as that of a FLUSH.
func (m *mysqlServer) replayed(ctx context.Context, s *Server, position string) (bool, error) {
	status, err := s.status(ctx, replicaStatus)
	if err != nil || status["Replica_IO_Running"] != "Yes" {
		return false, err
	}
	if reached, err := m.has(ctx, s, position); err != nil || !reached {
		return false, err
	}
	others, err := s.QueryString(ctx, "SELECT GTID_SUBTRACT(@@global.gtid_executed, CONCAT(@@server_uuid, ':1-9223372036854775806'))")
	if err != nil {
		return false, err
	}
	primary := s.following()
	if primary == nil {
		return false, ErrNotReplica // it has been promoted meanwhile
	}
	return m.has(ctx, primary, others)
}

// has reports whether s shows all transactions of a set of GTIDs.
func (*mysqlServer) has(ctx context.Context, s *Server, set string) (bool, error) {
	contained, err := s.QueryString(ctx, fmt.Sprintf("SELECT GTID_SUBSET(%s, @@global.gtid_executed)", quoteMySQL(set)))
	return contained == "1", err
}

func (*mysqlServer) follow(ctx context.Context, s, primary *Server) error {
	return s.exec(ctx, "",
		"STOP REPLICA",
		fmt.Sprintf(`CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT=%d, SOURCE_USER='%s', SOURCE_PASSWORD=%s,
			SOURCE_SSL=0, SOURCE_AUTO_POSITION=1, GET_SOURCE_PUBLIC_KEY=1, SOURCE_CONNECT_RETRY=1, SOURCE_RETRY_COUNT=86400`,
			primary.Port(), replicaUser, quoteMySQL(s.cluster.replicate.reveal())),
		"START REPLICA")
}

// rebuild starts from the seed again: every server's binary log begins there. The copy draws a server_uuid of
// its own.
func (*mysqlServer) rebuild(ctx context.Context, s, _ *Server) error {
	s.id.Store(s.cluster.lastID.Add(1))
	return s.copySeed(ctx)
}

func (*mysqlServer) pause(ctx context.Context, s *Server) error {
	return s.exec(ctx, "", "STOP REPLICA SQL_THREAD")
}

func (*mysqlServer) resume(ctx context.Context, s *Server) error {
	return s.exec(ctx, "", "START REPLICA SQL_THREAD")
}

// delay keeps a pause: CHANGE REPLICATION SOURCE wants the applier stopped.
func (*mysqlServer) delay(ctx context.Context, s *Server, d time.Duration) error {
	status, err := s.status(ctx, replicaStatus)
	if err != nil {
		return err
	}
	statements := []string{"STOP REPLICA SQL_THREAD", fmt.Sprintf("CHANGE REPLICATION SOURCE TO SOURCE_DELAY=%d", wholeSeconds(d))}
	if status["Replica_SQL_Running"] == "Yes" {
		statements = append(statements, "START REPLICA SQL_THREAD")
	}
	return s.exec(ctx, "", statements...)
}

func wholeSeconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }

func (m *mysqlServer) promote(ctx context.Context, s *Server) error {
	if err := s.exec(ctx, "", "STOP REPLICA IO_THREAD"); err != nil {
		return err
	}
	if err := m.applyReceived(ctx, s); err != nil {
		return err
	}
	statements := []string{"STOP REPLICA", "RESET REPLICA ALL", "SET GLOBAL super_read_only = 0", "SET GLOBAL read_only = 0"}
	if s.cluster.options.sync > 0 {
		statements = append(statements, "SET GLOBAL rpl_semi_sync_source_enabled = 1")
	}
	return s.exec(ctx, "", statements...)
}

// applyReceived waits until what has been received is applied, unless the test wanted it not to be.
func (m *mysqlServer) applyReceived(ctx context.Context, s *Server) error {
	status, err := s.status(ctx, replicaStatus)
	if err != nil || status["Replica_SQL_Running"] != "Yes" || status["SQL_Delay"] != "0" {
		return err
	}
	return poll(ctx, func() (bool, error) { return m.has(ctx, s, status["Retrieved_Gtid_Set"]) })
}
