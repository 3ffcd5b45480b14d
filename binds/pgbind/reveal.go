package pgbind

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bindery-go/bindery/binds"
)

var _ binds.Revealer = Driver{}

// A snapshot is what pg_current_snapshot() says: transactions below xmax have ended, but for those that run.
// The functions are called by their older names, which all versions have.
//
// A standby's own list of what runs does not count: it can lack a transaction whose commit the standby does not show yet. Its
// xmax does: it is above every transaction that the standby shows.
type snapshot struct {
	xmax uint64
	runs []uint64
}

const snapshotQuery = "SELECT txid_current_snapshot()::text"

func parseSnapshot(text string) (s snapshot, err error) {
	parts := strings.Split(text, ":")
	if len(parts) != 3 {
		return s, errProbe
	}
	if s.xmax, err = strconv.ParseUint(parts[1], 10, 64); err != nil {
		return s, errProbe
	}
	if parts[2] == "" {
		return s, nil
	}
	for xid := range strings.SplitSeq(parts[2], ",") {
		n, err := strconv.ParseUint(xid, 10, 64)
		if err != nil {
			return s, errProbe
		}
		s.runs = append(s.runs, n)
	}
	return s, nil
}

func askSnapshot(ctx context.Context, ask binds.Ask) (snapshot, error) {
	row, err := ask(ctx, snapshotQuery)
	if err == nil && len(row) != 1 {
		err = errProbe
	}
	if err != nil {
		return snapshot{}, fmt.Errorf("pgbind: snapshot: %w", err)
	}
	return parseSnapshot(row[0])
}

// Shown returns the snapshot of the replica, or what runs on the primary if there is none.
func (Driver) Shown(ctx context.Context, primary, replica binds.Ask) (binds.Mark, error) {
	if replica != nil {
		return askSnapshot(ctx, replica)
	}
	runs, err := askRunning(ctx, primary)
	return running{runs, time.Now()}, err
}

// Reveals reports whether no transaction that the replica shows still runs on the primary: one whose commit is in the log runs
// there until it is visible. Without a replica, those that ran at the mark must have ended, or not be committing.
func (Driver) Reveals(ctx context.Context, mark binds.Mark, primary, replica binds.Ask) (bool, error) {
	if ran, ok := mark.(running); ok {
		return ran.committed(ctx, primary)
	}
	seen, ok := mark.(snapshot)
	if !ok || replica == nil {
		return false, fmt.Errorf("pgbind: %T is no mark of this driver, or its replica is missing", mark)
	}
	now, err := askSnapshot(ctx, primary)
	if err != nil || now.xmax < seen.xmax {
		return false, err
	}
	var open []string
	for _, xid := range now.runs {
		if xid < seen.xmax {
			open = append(open, strconv.FormatUint(xid, 10))
		}
	}
	if len(open) == 0 {
		return true, nil
	}
	row, err := replica(ctx, "SELECT count(*) FROM unnest('{"+strings.Join(open, ",")+"}'::bigint[]) AS xid WHERE txid_status(xid) = 'committed'")
	if err != nil || len(row) != 1 {
		return false, fmt.Errorf("pgbind: state of transactions: %w", err)
	}
	return row[0] == "0", nil
}

// running are the transactions with a number that run on a server, without the epoch. A snapshot does not list them all: none from its xmax on, as the
// latest one is while it commits. Each holds a lock on its own number until its end is visible: manual, section 54.12, pg_locks.
type running struct {
	xids []string
	at   time.Time
}

const runningQuery = "SELECT coalesce(string_agg(DISTINCT transactionid::text, ','), '') FROM pg_locks WHERE locktype = 'transactionid' AND granted"

func askRunning(ctx context.Context, ask binds.Ask) ([]string, error) {
	row, err := ask(ctx, runningQuery)
	if err == nil && len(row) != 1 {
		err = errProbe
	}
	if err != nil {
		return nil, fmt.Errorf("pgbind: running transactions: %w", err)
	}
	return slices.DeleteFunc(strings.Split(row[0], ","), func(xid string) bool { return xid == "" }), nil
}

// beingCommitted is how long a transaction may be between its commit in the log, which replicas may show, and the next that is known of
// it: its end, or its wait for a synchronous standby. That takes microseconds.
const beingCommitted = time.Second

// committed reports whether each transaction that ran at the mark has ended, or is not being committed: it may run for hours. Whoever waits for a
// synchronous standby says so in pg_stat_activity (wait_event SyncRep), as far as the login may see that of others: pg_read_all_stats.
func (r running) committed(ctx context.Context, primary binds.Ask) (bool, error) {
	now, err := askRunning(ctx, primary)
	if err != nil {
		return false, err
	}
	open := slices.DeleteFunc(now, func(xid string) bool { return !slices.Contains(r.xids, xid) })
	if len(open) == 0 {
		return true, nil
	}
	if time.Since(r.at) < beingCommitted {
		return false, nil
	}
	row, err := primary(ctx, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"+
		" AND (backend_xid IS NULL OR backend_xid::text = ANY ('{"+strings.Join(open, ",")+"}'))") // COMMIT PREPARED has no backend_xid
	if err != nil || len(row) != 1 {
		return false, fmt.Errorf("pgbind: waits for synchronous standbys: %w", err)
	}
	return row[0] == "0", nil
}
