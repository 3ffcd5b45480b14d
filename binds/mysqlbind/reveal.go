package mysqlbind

import (
	"context"
	"fmt"
	"strings"

	"github.com/bindery-go/bindery/binds"
)

var _ binds.Revealer = Driver{}

// shownQuery asks for what replicas may have shown by now. On MariaDB that is what the primary's binary log holds: it is
// written before it is sent. On MySQL it is what the replica shows, and what it owns: that is about to be shown.
//
// A node of Galera, which the last column tells, has to prove itself whatever another one has shown.
const shownQuery = "SELECT 1 /*M! , 'MariaDB', @@global.gtid_binlog_pos, ''," +
	" (SELECT VARIABLE_VALUE FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME = 'WSREP_CLUSTER_STATE_UUID') */" +
	" /*!80000 , 'MySQL', @@global.gtid_owned, @@global.gtid_executed, '' */"

// snapshotQuery asks a MariaDB primary, in one round trip, for the GTID that a new snapshot really holds: the binary log
// is ahead of that by as long as a commit takes.
const snapshotQuery = "BEGIN NOT ATOMIC START TRANSACTION WITH CONSISTENT SNAPSHOT; SELECT BINLOG_GTID_POS(" +
	"(SELECT VARIABLE_VALUE FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME = 'BINLOG_SNAPSHOT_FILE')," +
	"(SELECT VARIABLE_VALUE FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME = 'BINLOG_SNAPSHOT_POSITION')); COMMIT; END"

const executedQuery = "SELECT @@global.gtid_executed"

// Shown asks the replica of a MySQL server, and a MariaDB primary: there the replica's position may come a moment after what it
// shows.
func (Driver) Shown(ctx context.Context, primary, replica binds.Ask) (binds.Mark, error) {
	if replica == nil {
		replica = primary
	}
	row, err := replica(ctx, shownQuery)
	if err == nil && len(row) == 5 && row[4] != "" {
		return galeraMark{}, nil
	}
	if err == nil && len(row) == 5 && row[1] == "MariaDB" {
		row, err = primary(ctx, shownQuery)
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("mysqlbind: position shown: %w", err)
	case len(row) != 5:
		return nil, errProduct
	case row[1] == "MariaDB":
		return parseMariaDB("0", row[2])
	}
	shown, err := parseSet(row[3])
	return &mysqlPosition{shown: shown.with(parseOwned(row[2]))}, err
}

// Reveals reports whether a snapshot of the primary holds the mark.
func (Driver) Reveals(ctx context.Context, mark binds.Mark, primary, _ binds.Ask) (bool, error) {
	switch seen := mark.(type) {
	case galeraMark:
		if _, err := primary(ctx, galeraReveal); err != nil {
			return false, fmt.Errorf("mysqlbind: wsrep_sync_wait: %w", err)
		}
		return true, nil
	case *mariaPosition:
		row, err := primary(ctx, snapshotQuery)
		if err != nil || len(row) != 1 {
			return false, fmt.Errorf("mysqlbind: snapshot: %w", err)
		}
		holds, err := parseMariaDB("0", strings.TrimSpace(row[0]))
		return err == nil && holds.reaches(seen), err
	case *mysqlPosition:
		row, err := primary(ctx, executedQuery)
		if err != nil || len(row) != 1 {
			return false, fmt.Errorf("mysqlbind: gtid_executed: %w", err)
		}
		holds, err := parseSet(row[0])
		// What the primary has nothing of at all is a write of the replica's own.
		return err == nil && !seen.Exceeds(&mysqlPosition{shown: holds}), err
	}
	return false, fmt.Errorf("mysqlbind: %T is no mark of this driver", mark)
}

// reaches reports whether each domain of w has come as far here, in one server's own log.
func (p *mariaPosition) reaches(w *mariaPosition) bool {
	for _, want := range w.last {
		if have, ok := p.in(want.domain); !ok || have.seq < want.seq {
			return false
		}
	}
	return true
}
