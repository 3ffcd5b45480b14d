package pgbind

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

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

// Shown returns the snapshot of the replica, or of the primary if there is none.
func (Driver) Shown(ctx context.Context, primary, replica binds.Ask) (binds.Mark, error) {
	if replica != nil {
		primary = replica
	}
	return askSnapshot(ctx, primary)
}

// Reveals reports whether no transaction that the replica shows still runs on the primary: one whose commit is in the log runs
// there until it is visible. Without a replica, those that ran at the mark must have ended.
func (Driver) Reveals(ctx context.Context, mark binds.Mark, primary, replica binds.Ask) (bool, error) {
	seen, ok := mark.(snapshot)
	if !ok {
		return false, fmt.Errorf("pgbind: %T is no mark of this driver", mark)
	}
	now, err := askSnapshot(ctx, primary)
	if err != nil || now.xmax < seen.xmax {
		return false, err
	}
	if replica == nil {
		return !slices.ContainsFunc(seen.runs, func(xid uint64) bool { return slices.Contains(now.runs, xid) }), nil
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
