package integration

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// position returns the GTIDs of what has been written here, "" if nothing was.
func (*mariadb) position(ctx context.Context, primary *Server) (string, error) {
	return primary.QueryString(ctx, "SELECT @@global.gtid_binlog_pos")
}

// replayed wants the connection to the primary, and that the replica has not diverged: one that has is connected for a
// moment before it finds out.
func (m *mariadb) replayed(ctx context.Context, s *Server, position string) (bool, error) {
	status, err := m.status(ctx, s)
	if err != nil || status["Slave_IO_Running"] != "Yes" {
		return false, err
	}
	if reached, err := m.has(ctx, s, position); err != nil || !reached {
		return false, err
	}
	applied, err := s.QueryString(ctx, "SELECT @@global.gtid_slave_pos")
	if err != nil {
		return false, err
	}
	primary := s.following()
	if primary == nil {
		return false, ErrNotReplica // it has been promoted meanwhile
	}
	wrote, err := m.position(ctx, primary)
	return err == nil && !aheadOf(applied, wrote), err
}

// aheadOf reports whether a list of GTIDs, one for each domain, goes beyond another, or to the same number by another
// server.
func aheadOf(a, b string) bool {
	for gtid := range strings.SplitSeq(a, ",") {
		domain, server, seq := cutGTID(gtid)
		for other := range strings.SplitSeq(b, ",") {
			d, s, n := cutGTID(other)
			if d == domain && (seq > n || seq == n && s != server) {
				return true
			}
		}
	}
	return false
}

// cutGTID cuts "0-1-22", which the server wrote.
func cutGTID(gtid string) (domain, server string, seq uint64) {
	domain, rest, _ := strings.Cut(gtid, "-")
	server, number, _ := strings.Cut(rest, "-")
	seq, _ = strconv.ParseUint(number, 10, 64) // zero for none
	return domain, server, seq
}

// has reports whether s has applied what a position tells.
func (*mariadb) has(ctx context.Context, s *Server, position string) (bool, error) {
	reached, err := s.QueryString(ctx, fmt.Sprintf("SELECT MASTER_GTID_WAIT(%s, 0)", quoteMySQL(position)))
	return reached == "0", err
}

func (*mariadb) follow(ctx context.Context, s, primary *Server) error {
	return s.exec(ctx, "",
		"STOP SLAVE",
		fmt.Sprintf(`CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=%d, MASTER_USER='%s', MASTER_PASSWORD=%s,
			MASTER_USE_GTID=slave_pos, MASTER_CONNECT_RETRY=1`,
			primary.Port(), replicaUser, quoteMySQL(s.cluster.replicate.reveal())),
		"START SLAVE")
}

// delay keeps a pause: CHANGE MASTER wants both threads stopped. MariaDB counts from the beginning of the second in
// which a transaction was committed, so that it takes one more for it to be no earlier than d.
func (m *mariadb) delay(ctx context.Context, s *Server, d time.Duration) error {
	status, err := m.status(ctx, s)
	if err != nil {
		return err
	}
	start := "START SLAVE"
	if status["Slave_SQL_Running"] != "Yes" {
		start = "START SLAVE IO_THREAD"
	}
	seconds := wholeSeconds(d)
	if seconds > 0 {
		seconds++
	}
	return s.exec(ctx, "", "STOP SLAVE", fmt.Sprintf("CHANGE MASTER TO MASTER_DELAY=%d", seconds), start)
}

func (m *mariadb) promote(ctx context.Context, s *Server) error {
	return m.promoteWhen(ctx, s, m.applied)
}

// applied reports whether all that has been received is applied.
func (m *mariadb) applied(ctx context.Context, s *Server, status map[string]string) (bool, error) {
	return m.has(ctx, s, status["Gtid_IO_Pos"])
}
