package bindtest

import (
	"context"
	"database/sql"
	"maps"
	"reflect"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun/dialect"

	"github.com/bindery-go/bindery/binds"
)

// A Harness describes the driver under test and the servers it is tested on. The suite makes and
// drops tables called bindtest_… in Writer's database, and its subtests run one after another.
//
// What the functions start, such as the pool of an administrator, must be running before [Run], or
// end with the call: the suite looks for goroutines left behind. A pool of one connection will do.
type Harness struct {
	Driver  binds.Driver // required
	Dialect dialect.Name // required: what the driver's dialects are called

	Writer  string   // required: URI of a database the tests may write to
	Readers []string // URIs of its replicas; empty: the readers are siblings of the writer alone
	// Dead is a URI that opens but does not connect: a server's host refuses connections, a file's
	// directory is missing. Empty only if Embedded: a memory database cannot be dead.
	Dead string
	// Secrets are passwords inside Writer, Readers and Dead. They must be unlike any other text,
	// and appear nowhere. Empty only if Embedded.
	Secrets []string
	// Login is a URI whose password the server refuses; that password is among Secrets.
	// Empty only if Embedded.
	Login string

	// Embedded says that the database lives in this process: there is no server to lose, no
	// session to end and no session to count. Dead, Secrets, Login, Connections, ConnID and
	// Kill may then be zero, and the promises about losing a server mean nothing.
	Embedded bool

	// RefusedOnReader are statements that a reader must refuse. Required.
	RefusedOnReader []Statement
	// Undo are attempts to take the belt off a reader's connection. Required.
	Undo []Attempt

	// Sessions are statements that leave something in their session. Required.
	Sessions []SessionChange

	// Slow is a statement that takes 30 seconds or more before its first row, and fits both Exec
	// and Query: SELECT pg_sleep(60). Required.
	Slow string
	// SlowRows is a query that gives a first row within a second and takes 30 seconds or more to
	// the last. Required. Its rows may need some size: servers send them by the buffer.
	SlowRows string
	// FailsAtZero is an expression over the integer column n that the server computes for a row, and
	// fails to where n is 0, and nowhere else: 1 / n. Required.
	FailsAtZero string
	// Running counts the statements that Writer's server is executing for Writer's user, idle
	// sessions and its own query excepted. If Embedded, it counts those of Slow and SlowRows that are
	// at work, which may tell so themselves by a function of the test that they call. Required.
	Running func(ctx context.Context) (int, error)
	// Connections counts the sessions of Writer's user on Writer's server.
	Connections func(ctx context.Context) (int, error)
	// ConnID is a query for the server's identifier of the session that runs it:
	// SELECT pg_backend_pid().
	ConnID string
	// Kill ends a session of Writer's server and returns once it is gone.
	Kill func(ctx context.Context, id string) error
	// Sync returns once every reader shows what the writer has acknowledged. Required if there are
	// Readers.
	Sync func(ctx context.Context) error

	// Native checks that a connection, as sql.Conn.Raw gives it from binds.Engine.Native, is of the
	// driver's own type. Required.
	Native func(conn any) error

	// Faults are errors of the server and what they prove, beside those that the suite makes
	// itself. Required.
	Faults []FaultCase

	// Positions is what the promises of a [binds.Positioner] are checked with. Nil says that Driver
	// is none, and fails if it is.
	Positions *Positions
	// Interrupts is what the promises of a [binds.Interrupter] are checked with. Nil says that the
	// driver's connections are none, and fails if they are.
	Interrupts *Interrupts

	// Columns names the column type of a field's Go type where Bun's own choice would lose a part
	// of the value: DATETIME(6) for time.Time. Nil: Bun's choices do.
	Columns map[reflect.Type]string
	// Decimal is a column type that keeps a decimal of 16 digits and 4 behind the point, read and
	// written as a string. Empty: DECIMAL(20,4).
	Decimal string
}

// A Statement is one that a reader must refuse without a trace.
type Statement struct {
	Reason string // the subtest's name
	Setup  []string
	SQL    string
	// Trace is a query of one value, run on writer and reader, that the statement would change if
	// it were obeyed. Empty: only the suite's own table bindtest_belt (id, n), which holds the row
	// (1, 1), is watched.
	Trace string
	// Cleanup is run on the writer at the end.
	Cleanup []string
	// Faults are the allowed classes. Empty: only binds.ReadOnly.
	Faults []binds.Fault
	// ReplicaOnly says that a replica refuses it but the belt of a session on the writer's own
	// server does not.
	ReplicaOnly bool
	NoTx        bool // it cannot run in a transaction
	NoPrepare   bool // it cannot be prepared
}

// An Attempt is a statement that tries to take a reader's belt off. It may fail itself.
type Attempt struct {
	Reason string // the subtest's name
	SQL    string
	// Pinned says that the belt holds on the very connection that made the attempt. Otherwise it
	// must be on again when the connection is next taken from the pool.
	Pinned bool
}

// A FaultCase makes an error on a writer engine and says what it proves.
type FaultCase struct {
	Reason string // the subtest's name
	Do     func(ctx context.Context, e *binds.Engine) error
	Want   binds.Fault
}

// Run checks every promise, each in a subtest of its own.
func Run(t *testing.T, h Harness) {
	h.require(t)
	s := &suite{Harness: h}
	s.register(t)
	for _, p := range promises {
		t.Run(p.name, func(t *testing.T) { s.run(t, p.check) })
	}
}

var promises = []struct {
	name  string
	check func(*suite, *testing.T)
}{
	{"Open", (*suite).opening},
	{"Dialect", (*suite).dialects},
	{"RoundTrip", (*suite).roundTrips},
	{"FirstRow", (*suite).firstRows},
	{"Arguments", (*suite).arguments},
	{"Marker", (*suite).markers},
	{"Belt", (*suite).belts},
	{"Session", (*suite).sessions},
	{"DeadServer", (*suite).deadServer},
	{"DeadIdleConnection", (*suite).deadIdle},
	{"BrokenTransaction", (*suite).brokenTx},
	{"FailedBegin", (*suite).failedBegin},
	{"Cancel", (*suite).cancellation},
	{"LateCancel", (*suite).lateCancel},
	{"Interrupt", (*suite).interrupts},
	{"EndedBefore", (*suite).endedBefore},
	{"Faults", (*suite).faults},
	{"ServerErrors", (*suite).serverErrors},
	{"Positions", (*suite).positions},
	{"Pool", (*suite).pools},
	{"Native", (*suite).natives},
	{"Locks", (*suite).locks},
	{"Close", (*suite).closing},
	{"Secrets", (*suite).secrets},
}

// require fails the run for every field that is missing.
func (h *Harness) require(t *testing.T) {
	t.Helper()
	require.Empty(t, h.missing(), "bindtest: the harness lacks these fields")
}

// missing names the fields that a promise needs and the harness lacks, sorted.
func (h *Harness) missing() []string {
	lacks := map[string]bool{
		"Driver":          h.Driver == nil,
		"Dialect":         h.Dialect == dialect.Invalid,
		"Writer":          h.Writer == "",
		"RefusedOnReader": len(h.RefusedOnReader) == 0,
		"Undo":            len(h.Undo) == 0,
		"Sessions":        len(h.Sessions) == 0,
		"Slow":            h.Slow == "",
		"SlowRows":        h.SlowRows == "",
		"FailsAtZero":     h.FailsAtZero == "",
		"Running":         h.Running == nil,
		"Native":          h.Native == nil,
		"Faults":          len(h.Faults) == 0,
		"Sync":            len(h.Readers) > 0 && h.Sync == nil,
	}
	if !h.Embedded {
		lacks["Dead"] = h.Dead == ""
		lacks["Secrets"] = len(h.Secrets) == 0
		lacks["Login"] = h.Login == ""
		lacks["Connections"] = h.Connections == nil
		lacks["ConnID"] = h.ConnID == ""
		lacks["Kill"] = h.Kill == nil
	}
	maps.Copy(lacks, h.lacksPositions())
	maps.Copy(lacks, h.lacksInterrupts())
	maps.DeleteFunc(lacks, func(_ string, lacking bool) bool { return !lacking })
	return slices.Sorted(maps.Keys(lacks))
}

// drain reads rows to their end and closes them.
func drain(rows *sql.Rows, err error) error {
	if err != nil {
		return err
	}
	for rows.Next() {
		continue
	}
	if err := rows.Err(); err != nil {
		_ = rows.Close() // the first error counts
		return err
	}
	return rows.Close()
}
