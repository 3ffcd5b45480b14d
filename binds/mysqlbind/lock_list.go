package mysqlbind

import (
	"cmp"
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/bindery-go/bindery/binds"
)

var _ binds.LockLister = (*locks)(nil)

// hashed is how the server knows a named lock, see [LockName].
var hashed = regexp.MustCompile(`^[0-9a-f]{64}$`)

// A lockRow is one session that holds or waits for a lock.
type lockRow struct {
	id      string
	held    bool
	session string
}

// ListLocks asks performance_schema.metadata_locks where that is kept and may be read. Elsewhere, as on MariaDB by default, it asks for the locks of
// names, and for those that sessions wait for, which the process list shows of sessions of the same user, and to the privilege PROCESS.
func (ls *locks) ListLocks(ctx context.Context, names []string) (list binds.LockList, err error) {
	dc, err := ls.connector.Connect(ctx)
	if err != nil {
		return list, err
	}
	defer func() { _ = dc.Close() }() // nothing is left to be known
	c := dc.(*conn)
	q := &lockQuestion{conn: c, ask: binds.AskConn(c), sessions: "information_schema.PROCESSLIST"}
	if !parseVersion(c.session.version).mariaDB {
		q.sessions = "performance_schema.processlist" // see lock.Holder
	}
	row, err := q.ask(ctx, "SELECT DATABASE()")
	if err != nil {
		return list, err
	}
	known := make(map[string]string)
	for _, name := range names {
		known[LockName(row[0], name)] = name
	}
	rows, whole := q.kept(ctx)
	if !whole {
		if rows, err = q.asked(ctx, known); err != nil {
			return list, err
		}
		list.Limits = append(list.Limits, "the server keeps no list of locks that this login may read (performance_schema, instrument wait/lock/metadata/sql/mdl): "+
			"shown are those of the names asked for, and those that sessions which the login may see wait for")
	}
	unnamed := false
	for _, r := range rows {
		at := slices.IndexFunc(list.Locks, func(l binds.LockState) bool { return l.ID == r.id })
		if at < 0 {
			at = len(list.Locks)
			list.Locks = append(list.Locks, binds.LockState{ID: r.id, Name: known[r.id]})
			unnamed = unnamed || known[r.id] == ""
		}
		if r.held {
			list.Locks[at].Holder = r.session
		} else if !slices.Contains(list.Locks[at].Waiters, r.session) {
			list.Locks[at].Waiters = append(list.Locks[at].Waiters, r.session)
		}
	}
	slices.SortStableFunc(list.Locks, func(a, b binds.LockState) int {
		if (a.Name == "") != (b.Name == "") {
			return strings.Compare(b.Name, a.Name)
		}
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.ID, b.ID))
	})
	if unnamed {
		list.Limits = append(list.Limits, "the server knows a hash of each name: give the names to look for to see which lock is which; it may be another database's")
	}
	return list, nil
}

// A lockQuestion asks one server.
type lockQuestion struct {
	conn     *conn
	ask      binds.Ask
	sessions string // the process list
}

// kept reads the server's own list. Whole says that there is one.
func (q *lockQuestion) kept(ctx context.Context) (list []lockRow, whole bool) {
	row, err := q.ask(ctx, "SELECT COUNT(*) FROM performance_schema.setup_instruments WHERE NAME = 'wait/lock/metadata/sql/mdl' AND ENABLED = 'YES' AND @@performance_schema")
	if err != nil || row[0] != "1" {
		return nil, false
	}
	rows, err := q.rows(ctx, "SELECT l.OBJECT_NAME, l.LOCK_STATUS, CONCAT('connection ', t.PROCESSLIST_ID, ', ', t.PROCESSLIST_USER, ' on ', t.PROCESSLIST_HOST)"+
		" FROM performance_schema.metadata_locks AS l JOIN performance_schema.threads AS t ON t.THREAD_ID = l.OWNER_THREAD_ID"+
		" WHERE l.OBJECT_TYPE = 'USER LEVEL LOCK' ORDER BY l.OBJECT_NAME, t.PROCESSLIST_ID")
	if err != nil {
		return nil, false // a login that may not
	}
	for _, r := range rows {
		if hashed.MatchString(r[0]) {
			list = append(list, lockRow{r[0], r[1] == granted, r[2]})
		}
	}
	return list, true
}

const granted = "GRANTED"

// waits is what a session does that waits for a lock.
var waits = regexp.MustCompile(`GET_LOCK\('([0-9a-f]{64})'`)

// asked looks for those who wait, and for who holds what they wait for, or one of the locks that are known by name.
func (q *lockQuestion) asked(ctx context.Context, known map[string]string) (list []lockRow, err error) {
	sessions, err := q.rows(ctx, "SELECT ID, CONCAT('connection ', ID, ', ', USER, ' on ', HOST), COALESCE(STATE, ''), COALESCE(INFO, '') FROM "+q.sessions)
	if err != nil {
		return nil, err
	}
	who := make(map[string]string)
	ids := slices.Sorted(maps.Keys(known))
	for _, s := range sessions {
		who[s[0]] = s[1]
		if m := waits.FindStringSubmatch(s[3]); m != nil && strings.EqualFold(s[2], "User lock") {
			list = append(list, lockRow{m[1], false, s[1]})
			ids = append(ids, m[1])
		}
	}
	slices.Sort(ids)
	for _, id := range slices.Compact(ids) {
		row, err := q.ask(ctx, "SELECT IS_USED_LOCK('"+id+"')")
		if err != nil {
			return nil, err
		}
		if holder := row[0]; holder != "" {
			list = append(list, lockRow{id, true, cmp.Or(who[holder], "connection "+holder)})
		}
	}
	return list, nil
}

// rows reads all rows of a query as text, NULL as "".
func (q *lockQuestion) rows(ctx context.Context, query string) (list [][]string, err error) {
	rows, err := q.conn.QueryContext(ctx, query, nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	values := make([]driver.Value, len(rows.Columns()))
	for {
		switch err := rows.Next(values); {
		case errors.Is(err, io.EOF):
			return list, nil
		case err != nil:
			return nil, err
		}
		row := make([]string, len(values))
		for i, v := range values {
			switch v := v.(type) {
			case nil:
			case []byte:
				row[i] = string(v)
			default:
				row[i] = fmt.Sprint(v)
			}
		}
		list = append(list, row)
	}
}
