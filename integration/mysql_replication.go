package integration

import (
	"context"
	"fmt"
	"time"
)

// position returns the GTIDs of what has been committed here, "" if nothing was.
func (*mysqlServer) position(ctx context.Context, primary *Server) (string, error) {
	return primary.QueryString(ctx, "SELECT @@global.gtid_executed")
}

// replayed wants the connection to the primary, and that the replica has not diverged: one that holds what its new
// primary never had follows it without an error. Its own transactions are no matter, such as that of a FLUSH.
func (m *mysqlServer) replayed(ctx context.Context, s *Server, position string) (bool, error) {
	status, err := m.status(ctx, s)
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

// delay keeps a pause: CHANGE REPLICATION SOURCE wants the applier stopped.
func (m *mysqlServer) delay(ctx context.Context, s *Server, d time.Duration) error {
	status, err := m.status(ctx, s)
	if err != nil {
		return err
	}
	statements := []string{"STOP REPLICA SQL_THREAD", fmt.Sprintf("CHANGE REPLICATION SOURCE TO SOURCE_DELAY=%d", wholeSeconds(d))}
	if status["Replica_SQL_Running"] == "Yes" {
		statements = append(statements, "START REPLICA SQL_THREAD")
	}
	return s.exec(ctx, "", statements...)
}

func (m *mysqlServer) promote(ctx context.Context, s *Server) error {
	return m.promoteWhen(ctx, s, m.applied)
}

// applied reports whether all that has been received is applied.
func (m *mysqlServer) applied(ctx context.Context, s *Server, status map[string]string) (bool, error) {
	return m.has(ctx, s, status["Retrieved_Gtid_Set"])
}
