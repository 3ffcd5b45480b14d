package router

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/uptrace/bun/dialect"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/router/sqlkind"
)

// A Reason says why a statement ran where it ran.
type Reason uint8

const (
	// Unrouted is the zero Reason: nothing was decided.
	Unrouted Reason = iota
	// PlainRead: a harmless read, on the reader that the policy picked.
	PlainRead
	// WriteQuery: a builder that writes or changes the schema.
	WriteQuery
	// WriteText: a text that writes, locks, or is not known to be harmless.
	WriteText
	// HintWriter: the context says [OnWriter].
	HintWriter
	// HintReader: the context says [OnReader].
	HintReader
	// NoReader: the bind has no readers, the writer serves its reads.
	NoReader
	// ReadersDown: no reader could be reached, the writer serves.
	ReadersDown
	// ReadersBehind: readers are up, none is known to be fresh enough, and so the writer serves: what it answers is not stale.
	ReadersBehind
	// ReaderRefused: a statement that was taken for a read; a reader refused it as a write.
	ReaderRefused
	// WriterDB: the query was built on the bind's Writer().
	WriterDB
	// ReaderDB: the query was built on the bind's Reader().
	ReaderDB
	// NativeDB: the query was built on the bind's Native().
	NativeDB
	// Transaction: the context carries a transaction of the bind, see [Router.InTx].
	Transaction
	// LocalState: a read of what each server keeps for itself, as statistics; the writer's is meant.
	LocalState
)

// Stale is the former name of [ReadersBehind].
//
// Deprecated: use ReadersBehind.
const Stale = ReadersBehind

var reasonNames = [...]string{
	Unrouted:      "unrouted",
	PlainRead:     "plain_read",
	WriteQuery:    "write_query",
	WriteText:     "write_text",
	HintWriter:    "hint_writer",
	HintReader:    "hint_reader",
	NoReader:      "no_reader",
	ReadersDown:   "readers_down",
	ReadersBehind: "readers_behind",
	ReaderRefused: "reader_refused",
	WriterDB:      "writer_db",
	ReaderDB:      "reader_db",
	NativeDB:      "native_db",
	Transaction:   "transaction",
	LocalState:    "local_state",
}

// String returns the reason's code in snake case: "plain_read".
func (r Reason) String() string {
	if int(r) < len(reasonNames) {
		return reasonNames[r]
	}
	return fmt.Sprintf("reason(%d)", r)
}

// MarshalText returns the reason's code.
func (r Reason) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// A Decision tells where one statement ran, and why.
type Decision struct {
	Bind   binds.Key
	Engine string // the engine's name: "accounts/reader-1"
	Role   binds.Role
	Kind   sqlkind.Kind
	Reason Reason
	// Query is the statement's outline, see [sqlkind.Outline]: without values and comments, and no more than MaxDecisionQuery bytes. The
	// statement itself is for a bun.QueryHook to see.
	Query string
	// Outside says that the context carries a transaction, and the statement was no part of it: it
	// is another bind's, or went to Native().
	Outside bool
}

// What a [Route] keeps: the latest MaxDecisions decisions, and of each statement MaxDecisionQuery bytes.
const (
	MaxDecisions     = 1000
	MaxDecisionQuery = 500
)

// A Route collects what became of the queries of one context, see [Explain]. It keeps the latest [MaxDecisions], and counts
// what it left off. It is safe for concurrent use.
type Route struct {
	outer     *Route     // of the context around; nil: there is none
	mu        sync.Mutex // guards what follows
	decisions []Decision // once full, a ring
	first     int        // the oldest in the ring
	leftOff   uint64
}

// Explain returns a context that notes where its queries run, and the Route that tells. It costs
// some allocations a statement and is meant for tests, tools and debugging. A route shows no values: it may be logged. The Route of a context around
// it is told, too.
func Explain(ctx context.Context) (context.Context, *Route) {
	r := &Route{outer: scopeOf(ctx).route}
	return withScope(ctx, func(s *scope) { s.route = r }), r
}

// RouteFrom returns the Route of the context's [Explain], nil if it has none.
func RouteFrom(ctx context.Context) *Route { return scopeOf(ctx).route }

// Decisions returns one decision for each statement so far, in the order in which they were sent: the latest [MaxDecisions] of them.
// A read that was tried on several engines is told once, with the engine that was tried last.
func (r *Route) Decisions() []Decision {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Concat(r.decisions[r.first:], r.decisions[:r.first])
}

// LeftOff returns how many decisions are kept no more, since later ones took their places: 0 up to [MaxDecisions] statements.
func (r *Route) LeftOff() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.leftOff
}

// Last returns the latest decision, the zero Decision if there is none.
func (r *Route) Last() Decision {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := len(r.decisions)
	if n == 0 {
		return Decision{}
	}
	return r.decisions[(r.first+n-1)%n]
}

// Engine returns the name of the engine that ran the latest statement, "" if none ran.
func (r *Route) Engine() string { return r.Last().Engine }

// Kind returns what the latest statement was taken for.
func (r *Route) Kind() sqlkind.Kind { return r.Last().Kind }

// Reason returns why the latest statement ran where it ran.
func (r *Route) Reason() Reason { return r.Last().Reason }

// String shows the latest decision: "accounts/reader-1 (read, plain_read)".
func (r *Route) String() string {
	d := r.Last()
	if d.Reason == Unrouted {
		return d.Reason.String()
	}
	outside := ""
	if d.Outside {
		outside = ", outside the transaction"
	}
	return fmt.Sprintf("%s (%s, %s%s)", d.Engine, d.Kind, d.Reason, outside)
}

// note takes a decision about a statement of the dialect.
func (r *Route) note(d Decision, in dialect.Name, query string) {
	d.Query = sqlkind.Outline(in, query, MaxDecisionQuery)
	for ; r != nil; r = r.outer {
		r.add(d)
	}
}

func (r *Route) add(d Decision) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.decisions) < MaxDecisions {
		r.decisions = append(r.decisions, d)
		return
	}
	r.decisions[r.first] = d
	r.first = (r.first + 1) % MaxDecisions
	r.leftOff++
}
