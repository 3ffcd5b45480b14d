package router

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/uptrace/bun/dialect"

	"github.com/bindery-go/bindery/binds"
)

// ErrNoWriter is matched by the error of a statement that needs the writer while that cannot be
// reached, or refuses writes. The statement was not carried out.
var ErrNoWriter = errors.New("router: no writer")

// ErrOutcomeUnknown is matched by the error of a write, or a COMMIT, whose answer did not come: it
// may have been carried out. It is never sent again by itself.
var ErrOutcomeUnknown = errors.New("router: the outcome of the write is unknown")

// ErrNoReader is matched by the error of a read that no reader could serve where the
// configuration forbids the writer to (fallback = "none").
var ErrNoReader = errors.New("router: no reader")

// NoReaderError reports a read that no reader could serve. It matches [ErrNoReader].
type NoReaderError struct {
	Bind  binds.Key
	Stale bool  // readers are up, and none is known to be fresh enough
	Err   error // why the last reader failed, or the first is down; nil if none is
}

func (e *NoReaderError) Error() string {
	switch {
	case e.Err != nil:
		return fmt.Sprintf("router: no reader of bind %q could be reached, and the writer may not serve: %v", e.Bind.String(), e.Err)
	case e.Stale:
		return fmt.Sprintf(`router: no reader of bind %q is fresh enough, and fallback = "none": wait, raise max_lag, or set fallback = "writer"`, e.Bind.String())
	}
	return fmt.Sprintf(`router: bind %q has no reader that is up, and fallback = "none": add readers, or set fallback = "writer"`, e.Bind.String())
}

// Is reports whether target is [ErrNoReader].
func (e *NoReaderError) Is(target error) bool { return target == ErrNoReader }

func (e *NoReaderError) Unwrap() error { return e.Err }

// UnavailableError reports a statement that needs the writer while that cannot be reached, or
// refuses writes. It was not carried out. It matches [ErrNoWriter].
type UnavailableError struct {
	Engine   string // the writer's name
	ReadOnly bool   // the server answers that it may not write: it was demoted, or is a replica
	Err      error
}

func (e *UnavailableError) Error() string {
	if e.ReadOnly {
		return fmt.Sprintf("router: %q refuses writes: its server was demoted, or is a replica: give the primary's address as writer: %v", e.Engine, e.Err)
	}
	return fmt.Sprintf("router: %q cannot be reached, nothing was written: %v", e.Engine, e.Err)
}

// Is reports whether target is [ErrNoWriter].
func (e *UnavailableError) Is(target error) bool { return target == ErrNoWriter }

func (e *UnavailableError) Unwrap() error { return e.Err }

// WriterBehindError reports a read of a session that has to come from the primary, while the primary does not yet show what
// the session has read on a reader: a commit waits there, for a synchronous standby that does not answer, say. The
// statement was not sent. It waited until the context's deadline, or for 3 seconds without one.
type WriterBehindError struct {
	Engine string // the writer's name, or that of the reader whose server is the primary
	Reader string // where the session has read
	Err    error  // the context's error, or why the two could not be compared in time; nil if they were
}

// late reports that time was over.
func (e *WriterBehindError) late() bool {
	return e.Err == nil || errors.Is(e.Err, context.DeadlineExceeded) || errors.Is(e.Err, context.Canceled)
}

func (e *WriterBehindError) Error() string {
	if e.Err != nil && e.Err != context.DeadlineExceeded && e.Err != context.Canceled {
		return fmt.Sprintf("router: it cannot be told whether %q shows what the session has read on %q: %v", e.Engine, e.Reader, e.Err)
	}
	return fmt.Sprintf("router: %q does not show yet what the session has read on %q: a commit waits there: look whether its synchronous standbys answer", e.Engine, e.Reader)
}

func (e *WriterBehindError) Unwrap() error { return e.Err }

// ReadBrokenError reports a read whose connection to the writer broke under it, and that no reader could serve which had not
// had it yet. It was sent once to each, and to the writer once more if all connections to that broke with its own: more
// often might do harm, for the reason may be the read itself, such as its size, or a fault of the server that it
// meets. It has changed nothing, and may be read again.
type ReadBrokenError struct {
	Engine string // the writer's name
	Err    error  // how the last connection broke
}

func (e *ReadBrokenError) Error() string {
	return fmt.Sprintf("router: the connection to %q broke under the read, which is not sent there twice, since it may be the reason: %v", e.Engine, e.Err)
}

func (e *ReadBrokenError) Unwrap() error { return e.Err }

// OutcomeUnknownError reports a write, or a COMMIT, that was or may have been sent and whose answer
// did not come. Find out by reading what it would have written, on the writer, before sending it
// again. It matches [ErrOutcomeUnknown].
type OutcomeUnknownError struct {
	Engine string // the writer's name
	Err    error
}

func (e *OutcomeUnknownError) Error() string {
	return fmt.Sprintf("router: the answer of %q did not come, the write may have been carried out: %v", e.Engine, e.Err)
}

// Is reports whether target is [ErrOutcomeUnknown].
func (e *OutcomeUnknownError) Is(target error) bool { return target == ErrOutcomeUnknown }

func (e *OutcomeUnknownError) Unwrap() error { return e.Err }

// NotSentError reports a statement of which nothing was sent: its context, or the time that the pool allows, ended before a connection was free, or before the
// statement had its turn on one, or the session had ended, of a transaction or of a connection that is kept. It has
// changed nothing. It matches what Err does.
type NotSentError struct {
	Engine string // whose connection it was to have: "accounts/writer"
	Err    error  // context.Canceled, context.DeadlineExceeded, a *binds.PoolWaitError, or how the session has ended

	// InUse and MaxOpen say that all connections of the engine's pool were in use; both are 0 where that was not the reason.
	InUse, MaxOpen int
	// InTx is how many of them open transactions of this process had. A statement inside InTx that is given the outer context
	// waits for one of them, and its own may be the one.
	InTx int
}

func (e *NotSentError) Error() string {
	if e.InTx > 0 {
		return fmt.Sprintf("router: no connection of %q was free (%d of %d in use, %d by open transactions of this process: inside InTx use the context "+
			"that its function is given, end transactions sooner, or raise max_open), nothing was sent: %v", e.Engine, e.InUse, e.MaxOpen, e.InTx, e.Err)
	}
	if e.MaxOpen > 0 {
		return fmt.Sprintf("router: no connection of %q was free (%d of %d in use), nothing was sent: %v", e.Engine, e.InUse, e.MaxOpen, e.Err)
	}
	return fmt.Sprintf("router: nothing was sent to %q: %v", e.Engine, e.Err)
}

func (e *NotSentError) Unwrap() error { return e.Err }

// OtherViewError is why a reader serves nothing whose sessions see other data than the writer's: another database, or other
// settings that change what the same SELECT shows, see [binds.View]. It is in the log, in Health and in Check.
type OtherViewError struct {
	Differences []string // "the database is \"a\", there \"b\"": on the reader, and on the writer
}

func (e *OtherViewError) Error() string {
	return "router: the reader shows other data than the writer: " + strings.Join(e.Differences, "; ") +
		": give both URIs, and both logins, the same settings"
}

// WrongBindError reports a query on another bind's DB than its model's, or a query that has a builder
// of another bind as a part. Nothing was sent.
type WrongBindError struct {
	Model     reflect.Type // nil for a part without a model
	ModelBind binds.Key    // where the model lives, or to which the part belongs
	Bind      binds.Key    // whose DB was asked
	Part      bool         // a builder in another query: an argument, a common table expression, a source
	Elsewhere bool         // the part's bind has the same key, and is another manager's
}

func (e *WrongBindError) Error() string {
	if e.Part {
		what := "a query"
		if e.Model != nil {
			what = fmt.Sprintf("a query on model %s", e.Model)
		}
		whose := ""
		if e.Elsewhere {
			whose = " of another manager"
		}
		return fmt.Sprintf("router: %s of bind %q%s is part of a query on bind %q, and would run there: run it by itself and pass on what it finds",
			what, e.ModelBind.String(), whose, e.Bind.String())
	}
	return fmt.Sprintf("router: model %s lives in bind %q but was queried on bind %q: use the manager's own builders, or the DB of bind %q",
		e.Model, e.ModelBind.String(), e.Bind.String(), e.ModelBind.String())
}

// CrossBindRelationError reports a relation that would need a join between two databases. A
// has-many relation does not: Bun loads it with a query of its own.
type CrossBindRelationError struct {
	Model       reflect.Type
	Field       string
	Bind        binds.Key
	Related     reflect.Type // the related model, or the link table of a many-to-many relation
	RelatedBind binds.Key
	Relation    string // "has-one", "belongs-to", "m2m"
}

func (e *CrossBindRelationError) Error() string {
	return fmt.Sprintf("router: the %s relation %s.%s joins bind %q with %s in bind %q: load it with a query of its own, or model it as has-many",
		e.Relation, e.Model, e.Field, e.Bind.String(), e.Related, e.RelatedBind.String())
}

// CrossDialectRelationError reports a has-many relation into a bind of another kind of database:
// Bun has written its query in the wrong dialect already.
type CrossDialectRelationError struct {
	Model          reflect.Type // the related model
	Bind           binds.Key
	Dialect        dialect.Name
	RelatedBind    binds.Key
	RelatedDialect dialect.Name
}

func (e *CrossDialectRelationError) Error() string {
	return fmt.Sprintf("router: a relation of bind %q (%s) loads %s from bind %q (%s): the dialects differ, load it with a query of its own",
		e.Bind.String(), e.Dialect, e.Model, e.RelatedBind.String(), e.RelatedDialect)
}

// WriteOnReaderError reports a statement that writes, locks or is not known to be harmless on a
// bind's Reader(). Nothing was sent.
type WriteOnReaderError struct {
	Bind binds.Key
}

func (e *WriteOnReaderError) Error() string {
	return fmt.Sprintf("router: a statement that is not a plain read was given to the Reader() of bind %q: use its DB() or Writer()", e.Bind.String())
}

// TokenError reports a token that [ResumeSession] refused. The session of the context that it
// returned beside the error is safe all the same: it reads as if it had just written.
type TokenError struct {
	Reason string // what is wrong with it, never its content: "malformed", "expired"
}

func (e *TokenError) Error() string { return "router: the session token is " + e.Reason }

// StaleTokenError reports a token that speaks of another history of a bind than the present one: of
// before a failover, or of another cluster. Its session reads from that bind as if it had just
// written; what it wrote before may be lost. See [Session.Err].
type StaleTokenError struct{ Bind binds.Key }

func (e *StaleTokenError) Error() string {
	return fmt.Sprintf("router: the session token speaks of another history of bind %q: its primary failed over, or the token comes from another cluster", e.Bind.String())
}

// ErrNilFunc reports a nil function that was to be run. Nothing was begun.
var ErrNilFunc = errors.New("router: the function to run is nil, nothing was begun")

// ErrTxDone is matched by the error of a query whose context carries a transaction that has ended.
var ErrTxDone = errors.New("router: the transaction has ended")

// TxDoneError reports the use of a context whose transaction has ended: the function that it was given
// to has returned, or its own context has ended. Nothing was sent. It matches [ErrTxDone] and
// sql.ErrTxDone.
type TxDoneError struct {
	Bind binds.Key
	Name string // of the transaction or savepoint, "" if it has none
	Err  error  // why it ended early, nil if it ended with its function
}

func (e *TxDoneError) Error() string {
	what := "transaction"
	if e.Name != "" {
		what = fmt.Sprintf("transaction %q", e.Name)
	}
	if e.Err != nil {
		return fmt.Sprintf("router: the %s on bind %q was rolled back: %v", what, e.Bind.String(), e.Err)
	}
	return fmt.Sprintf("router: the context carries a %s on bind %q that has ended: use the context from before it, or router.OutsideTx", what, e.Bind.String())
}

// Is reports whether target is [ErrTxDone] or sql.ErrTxDone.
func (e *TxDoneError) Is(target error) bool { return target == ErrTxDone || target == sql.ErrTxDone }

func (e *TxDoneError) Unwrap() error { return e.Err }

// TxAbortedError reports a transaction, or a savepoint, that was rolled back although its function
// returned no error: a statement in it had failed and the function went on, or COMMIT was refused.
// Nothing of it is left.
type TxAbortedError struct {
	Bind  binds.Key
	Err   error // the server's answer to COMMIT, or why it was not sent; nil if neither is known
	Cause error // the statement's error that began it, nil if there was none
}

func (e *TxAbortedError) Error() string {
	text := fmt.Sprintf("router: the transaction on bind %q was rolled back", e.Bind.String())
	if e.Cause != nil {
		text += fmt.Sprintf(", because a statement in it had failed: %v", e.Cause)
	}
	if e.Err != nil {
		text += fmt.Sprintf(": %v", e.Err)
	}
	return text
}

// Unwrap returns the answer to COMMIT and the first cause.
func (e *TxAbortedError) Unwrap() []error {
	var errs []error
	for _, err := range []error{e.Err, e.Cause} {
		if err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

// errNestedRunning is a mistake in the program, and never guessed to be meant.
var errNestedRunning = errors.New("the function returned while a nested InTx was running in another goroutine: wait for that first")

// errHookNests is a mistake in a query hook, which would wait for itself.
var errHookNests = errors.New("router: a query hook that is called for a savepoint cannot open another one in the same transaction")

// SavepointOpenError reports a query, or a nested InTx, that waited in vain for another nested InTx of
// the same transaction to end. If that waits for this query, give the query the nested context.
type SavepointOpenError struct {
	Bind      binds.Key
	Savepoint string
	Waited    time.Duration
}

func (e *SavepointOpenError) Error() string {
	return fmt.Sprintf("router: waited %v on bind %q for savepoint %q to end: inside a nested InTx use the context that it gives, not the outer one", e.Waited, e.Bind.String(), e.Savepoint)
}

// ReadOnlyTxError reports a statement that is not a plain read in a transaction that is read-only.
// Nothing was sent.
type ReadOnlyTxError struct {
	Bind binds.Key
	Name string // of the transaction, "" if it has none
}

func (e *ReadOnlyTxError) Error() string {
	return fmt.Sprintf("router: a statement that is not a plain read was given to a read-only transaction on bind %q: begin it without ReadOnly", e.Bind.String())
}

// CrossBindWriteError reports a write to another bind's database than the transaction's. It would not
// be rolled back with the transaction. Nothing was sent.
type CrossBindWriteError struct {
	Bind binds.Key // where the write would go
	Tx   binds.Key // whose transaction the context carries
}

func (e *CrossBindWriteError) Error() string {
	return fmt.Sprintf("router: a write to bind %q inside a transaction on bind %q would not be part of it: open one on both (InTxAll, or InTx inside InTx), or allow it by router.AllowCrossBind",
		e.Bind.String(), e.Tx.String())
}

// PastTxError reports what went past the router, such as the bun.DB's own ExecContext, QueryContext,
// BeginTx, Conn or Prepare, with a context that carries a transaction: it would run outside that.
// Nothing was sent.
type PastTxError struct{ Bind binds.Key }

func (e *PastTxError) Error() string {
	return fmt.Sprintf("router: the context carries a transaction on bind %q, which the DB's own ExecContext, QueryContext, BeginTx, Conn and Prepare are no part of: use NewRaw or another builder, a nested InTx for BeginTx, or router.OutsideTx to run outside", e.Bind.String())
}

// TxOptionError reports an option that a transaction, or a savepoint, cannot have. Nothing was begun.
type TxOptionError struct {
	Bind   binds.Key
	Option string // "Isolation", "ReadOnly", "Retry", "Name"
	Reason string
}

func (e *TxOptionError) Error() string {
	return fmt.Sprintf("router: transaction option %s cannot be honoured: %s", e.Option, e.Reason)
}

// PartialCommitError reports that of several transactions some were committed, or may have been, and
// others not. It matches what Err does.
type PartialCommitError struct {
	Committed  []binds.Key // in this order
	Failed     binds.Key   // whose COMMIT failed
	Unknown    bool        // whether Failed was committed is not known; else it was rolled back
	RolledBack []binds.Key
	Err        error
}

func (e *PartialCommitError) Error() string {
	failed := "was rolled back"
	if e.Unknown {
		failed = "may have been committed"
	}
	return fmt.Sprintf("router: not all transactions were committed: committed: %q; %q %s; rolled back: %q: %v",
		e.Committed, e.Failed.String(), failed, e.RolledBack, e.Err)
}

func (e *PartialCommitError) Unwrap() error { return e.Err }

// DuplicateBindError reports a bind that was named twice where each may be named once.
type DuplicateBindError struct{ Bind binds.Key }

func (e *DuplicateBindError) Error() string {
	return fmt.Sprintf("router: bind %q is named twice: a transaction has each bind once", e.Bind.String())
}
