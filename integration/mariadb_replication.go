package integration

import (
	"context"
	"fmt"
	"time"
)

// position returns the GTIDs of what has been written here, "" if nothing was.
func (*mariadb) position(ctx context.Context, primary *Server) (string, error) {
	return primary.QueryString(ctx, "SELECT @@global.gtid_binlog_pos")
}

// replayed wants the connection to the primary, too: a replica that has diverged has none.
func (*mariadb) replayed(ctx context.Context, s *Server, position string) (bool, error) {
	status, err := s.status(ctx, slaveStatus)
	if err != nil || status["Slave_IO_Running"] != "Yes" {
		return false, err
	}
	reached, err := s.QueryString(ctx, fmt.Sprintf("SELECT MASTER_GTID_WAIT(%s, 0)", quoteMySQL(position)))
	return reached == "0", err
}

const slaveStatus = "SHOW SLAVE STATUS"

func (*mariadb) follow(ctx context.Context, s, primary *Server) error {
	return s.exec(ctx, "",
		"STOP SLAVE",
		fmt.Sprintf(`CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=%d, MASTER_USER='%s', MASTER_PASSWORD=%s,
			MASTER_USE_GTID=slave_pos, MASTER_CONNECT_RETRY=1`,
			primary.Port(), replicaUser, quoteMySQL(s.cluster.replicate.reveal())),
		"START SLAVE")
}

// rebuild starts from the seed again: every server's binary log begins there. As a new server: it would
// skip the events that it wrote itself under its old number.
func (*mariadb) rebuild(ctx context.Context, s, _ *Server) error {
	s.id.Store(s.cluster.lastID.Add(1))
	return s.copySeed(ctx)
}

func (*mariadb) pause(ctx context.Context, s *Server) error {
	return s.exec(ctx, "", "STOP SLAVE SQL_THREAD")
}

func (*mariadb) resume(ctx context.Context, s *Server) error {
	return s.exec(ctx, "", "START SLAVE SQL_THREAD")
}

// delay keeps a pause: CHANGE MASTER wants both threads stopped.
func (*mariadb) delay(ctx context.Context, s *Server, d time.Duration) error {
	status, err := s.status(ctx, slaveStatus)
	if err != nil {
		return err
	}
	start := "START SLAVE"
	if status["Slave_SQL_Running"] != "Yes" {
		start = "START SLAVE IO_THREAD"
	}
	return s.exec(ctx, "", "STOP SLAVE", fmt.Sprintf("CHANGE MASTER TO MASTER_DELAY=%d", wholeSeconds(d)), start)
}

func (m *mariadb) promote(ctx context.Context, s *Server) error {
	if err := s.exec(ctx, "", "STOP SLAVE IO_THREAD"); err != nil {
		return err
	}
	if err := m.applyReceived(ctx, s); err != nil {
		return err
	}
	statements := []string{"STOP SLAVE", "RESET SLAVE ALL", "SET GLOBAL read_only = 0"}
	if s.cluster.options.sync > 0 {
		statements = append(statements, "SET GLOBAL rpl_semi_sync_master_enabled = 1")
	}
	return s.exec(ctx, "", statements...)
}

// applyReceived waits until what has been received is applied, unless the test wanted it not to be.
func (*mariadb) applyReceived(ctx context.Context, s *Server) error {
	status, err := s.status(ctx, slaveStatus)
	if err != nil || status["Slave_SQL_Running"] != "Yes" || status["SQL_Delay"] != "0" {
		return err
	}
	received := quoteMySQL(status["Gtid_IO_Pos"])
	return poll(ctx, func() (bool, error) {
		reached, err := s.QueryString(ctx, fmt.Sprintf("SELECT MASTER_GTID_WAIT(%s, 0)", received))
		return reached == "0", err
	})
}
