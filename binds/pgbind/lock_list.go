package pgbind

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/bindery-go/bindery/binds"
)

var _ binds.LockLister = (*locks)(nil)

// listQuery asks for the advisory locks of the database whose key is one number of 64 bits, with who holds and who waits.
const listQuery = `SELECT coalesce(json_agg(json_build_object('high', l.classid::bigint, 'low', l.objid::bigint, 'granted', l.granted,
 'foreign', a.usesysid IS DISTINCT FROM (SELECT oid FROM pg_roles WHERE rolname = current_user), 'who', 'pid ' || l.pid ||
 coalesce(', application "' || nullif(a.application_name, '') || '"', '') || coalesce(', client ' || host(a.client_addr), '')) ORDER BY l.classid, l.objid, l.pid), '[]')::text,
 EXISTS (SELECT FROM pg_roles WHERE rolname = current_user AND (rolsuper OR pg_has_role(oid, 'pg_read_all_stats', 'MEMBER')))
FROM pg_locks AS l LEFT JOIN pg_stat_activity AS a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND l.objsubid = 1`

// ListLocks asks pg_locks, which tells every session's locks to everybody. Whose they are needs pg_read_all_stats for sessions of other logins.
func (ls *locks) ListLocks(ctx context.Context, names []string) (list binds.LockList, err error) {
	c, err := ls.connector.Connect(ctx)
	if err != nil {
		return list, err
	}
	defer func() { _ = c.Close() }() // nothing is left to be known
	row, err := binds.AskConn(c)(ctx, listQuery)
	if err != nil {
		return list, err
	}
	var held []struct {
		High, Low uint64
		Granted   bool
		Foreign   bool // another login's
		Who       string
	}
	if err := json.Unmarshal([]byte(row[0]), &held); err != nil {
		return list, fmt.Errorf("pgbind: the list of locks cannot be read: %w", err)
	}
	known := make(map[int64]string)
	for _, name := range names {
		known[LockKey(name)] = name
	}
	places := make(map[int64]int)
	unnamed, foreign := false, false
	for _, h := range held {
		key := int64(h.High<<32 | h.Low)
		foreign = foreign || h.Foreign
		at, seen := places[key]
		if !seen {
			at = len(list.Locks)
			places[key] = at
			list.Locks = append(list.Locks, binds.LockState{Name: known[key], ID: strconv.FormatInt(key, 10)})
			unnamed = unnamed || known[key] == ""
		}
		if h.Granted {
			list.Locks[at].Holder = h.Who
		} else {
			list.Locks[at].Waiters = append(list.Locks[at].Waiters, h.Who)
		}
	}
	slices.SortStableFunc(list.Locks, func(a, b binds.LockState) int {
		return cmp.Or(cmp.Compare(b2i(a.Name == ""), b2i(b.Name == "")), cmp.Compare(a.Name, b.Name))
	})
	if unnamed {
		list.Limits = append(list.Limits, "the server knows a hash of each name: give the names to look for to see which lock is which; "+
			"advisory locks of other programs are among those without a name")
	}
	if row[1] != "true" && foreign {
		list.Limits = append(list.Limits, "of other logins' sessions only the pid is told: grant pg_read_all_stats to this login")
	}
	return list, nil
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
