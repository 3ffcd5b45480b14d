package binds

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"time"
)

// A Positioner is a [Driver] whose servers can say who they are and how far they have come in the
// primary's write log. Without one a bind's readers serve only reads that need no freshness.
type Positioner interface {
	// Probe asks a server, in one round trip, for its identity, role and position.
	Probe(ctx context.Context, ask Ask) (Probe, error)
	// ParsePosition reads what Position.String wrote, in this process or another. It must refuse
	// everything else: the text may come from a stranger.
	ParsePosition(text string) (Position, error)
}

// Ask runs a query that returns one row and gives its columns as text, NULL as "".
type Ask func(ctx context.Context, query string) ([]string, error)

// A Probe is what a server says of itself.
type Probe struct {
	// Server identifies the server since its present start: it changes with a restart and differs
	// between servers.
	Server string
	// History identifies what positions can be compared with: the cluster and its timeline. Two
	// servers with different histories have nothing to say about each other.
	History string
	// Cluster identifies the servers whose histories branch off one another; "" if the server does not tell.
	Cluster string
	// Timeline grows with every promotion in a Cluster: of two primaries there, the one with the greater number is
	// the newer. Zero means that it is not known.
	Timeline uint64
	// Detached says that a replica receives from no primary at the moment: its History is then what it
	// last wrote down, and may be one that it has left since.
	Detached bool
	// Primary says that the server accepts writes.
	Primary bool
	// Peer says that all servers of this History accept writes and agree on each commit, so that none is the others'
	// primary: a Galera cluster. They have no Position. A probe of such a server that has no Doubt is a proof by
	// itself: the server shows every write that any of them had acknowledged before it was asked.
	Peer bool
	// Position is how far the server has written, on a primary, or replayed, on a replica.
	Position Position
	// View is what decides which data the session sees that asked, and how. Servers that differ in it answer the same
	// SELECT differently, however fresh they are.
	View View
	// Sent is how far replicas may have come by now, if that can be further than Position because they may show a
	// commit before it does. Nil means Position.
	Sent Position
	// Doubt says why this server's position proves nothing, and which grant or setting would
	// change that. Nil if it proves freshness.
	Doubt error
	// Session identifies the session that answered, among those of its server; "" if the server does not tell.
	Session string
	// Pooler names the pooler between this process and the server, and what it pools; "" if none is known of. A
	// [ProbeJudge] fills it in.
	Pooler string
	// Shared says that the pooler gives each transaction any session, perhaps on another server: what was found out on
	// a connection holds for no later statement.
	Shared bool
	// Advice says which grant or setting would let the server prove more, or sooner, than it does
	// without; "" if none would.
	Advice string
}

// UnprovedError reports a [Probe] with Peer of a server that answers, but did not show in time that it has all there is: for
// some seconds after a node was lost, the others cannot. What it has shown it still shows.
type UnprovedError struct {
	Probe Probe // what it said; it proves nothing
	Err   error
}

func (e *UnprovedError) Error() string {
	return "binds: the server does not prove what it shows: " + e.Err.Error()
}

// Unwrap returns the reason.
func (e *UnprovedError) Unwrap() error { return e.Err }

// A Position is a place in a primary's write log. Positions are values, safe for concurrent use.
type Position interface {
	// Covers reports whether a server at this position shows everything that a primary at w had
	// written. The primary was asked before the server.
	Covers(w Position) bool
	// Exceeds reports whether a server at this position holds what a primary at w does not have
	// though the primary was asked after the server: their histories have parted.
	Exceeds(w Position) bool
	// String returns a short form made of letters, digits and ".-_:,/".
	String() string
}

// An Overtaker is a [Position] of a database whose replicas may show a commit before the primary's position tells
// of it. Exceeds then proves that the histories have parted only if it stays true for a while; until it is known, the
// replica proves no freshness. Of such positions none forgets what it once held: what exceeded a primary does so
// as long as it lacks that.
type Overtaker interface {
	Position
	// Parted reports of an excess over w, under the conditions of Exceeds, that it can be no such moment: the
	// histories have parted, whatever the primary shows later.
	Parted(w Position) bool
}

// An Interrupter is a connection whose running statement another goroutine can end at once, as if
// the connection had broken. The connection cannot be used again. A reader's server is told, in the
// background, to stop working for it.
type Interrupter interface{ Interrupt() }

// A ProbeJudge is a connection of a driver that knows more of itself than the server's answer to a probe says: that a
// pooler stands between.
type ProbeJudge interface {
	// Judge returns p, which was asked on the connection, with what that changes.
	Judge(p Probe) Probe
}

// Pooled is a [Source] that finds out whether a pooler stands between this process and its server.
type Pooled interface {
	// Pooler names the pooler that the connections so far went through, and what it pools: "PgBouncer 1.26.1
	// (transaction pooling)". It is "" if none was found. It must be safe for concurrent use.
	Pooler() string
}

// A Pinner is a connection of a driver that can be held to one session of its server, where a pooler may give it
// another one for each transaction.
type Pinner interface {
	// Pin holds the connection to the session of its next statement: a later one that comes to another session fails
	// with driver.ErrBadConn, and nothing of it is run. It reports false, and does nothing, where the session cannot
	// change or cannot be held.
	Pin() bool
}

// ProbeConn asks on a connection of a driver, which nobody else may use meanwhile.
func ProbeConn(ctx context.Context, by Positioner, conn driver.Conn) (Probe, error) {
	p, err := by.Probe(ctx, AskConn(conn))
	if j, ok := conn.(ProbeJudge); ok && err == nil {
		p = j.Judge(p)
	}
	return p, err
}

// ProveConn asks as [ProbeConn] does. What it returns holds for the connection's later statements, unless Shared says
// that it does not.
func ProveConn(ctx context.Context, by Positioner, conn driver.Conn) (Probe, error) {
	p, err := ProbeConn(ctx, by, conn)
	if pinner, ok := conn.(Pinner); ok && err == nil && pinner.Pin() {
		return ProbeConn(ctx, by, conn)
	}
	return p, err
}

// A SharedStorage is a [Source] whose engines all see one copy of the data, so that a reader shows
// every write at once: a SQLite file.
type SharedStorage interface {
	// Storage names the data, in this process: sources with one name see the same data. "" says that
	// the source shares nothing.
	Storage() string
}

// errNoRow reports a probe that was answered without a row.
var errNoRow = errors.New("the answer has no row")

// AskConn returns an [Ask] on a connection of a driver, which nobody else may use meanwhile.
func AskConn(conn driver.Conn) Ask {
	return func(ctx context.Context, query string) (_ []string, err error) {
		q, ok := conn.(driver.QueryerContext)
		if !ok {
			return nil, errors.New("binds: the driver's connections cannot run a query without preparing it")
		}
		rows, err := q.QueryContext(ctx, query, nil)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, rows.Close()) }()
		values := make([]driver.Value, len(rows.Columns()))
		if err := rows.Next(values); err != nil {
			if errors.Is(err, io.EOF) {
				err = errNoRow
			}
			return nil, err
		}
		texts := make([]string, len(values))
		for i, v := range values {
			texts[i] = text(v)
		}
		return texts, nil
	}
}

func text(v driver.Value) string {
	switch v := v.(type) {
	case nil:
		return ""
	case []byte:
		return string(v)
	case string:
		return v
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	}
	return fmt.Sprint(v)
}
