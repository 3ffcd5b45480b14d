package routertest

import "errors"

// What a server answers. Each has the class of [binds.Fault] that its name says, so that
// [Server.FailNext] and [Server.FailStatements] can make any of them happen.
var (
	// ErrReadOnly refuses a write: the server is a replica, the connection a reader's, or the
	// transaction read-only. Nothing was done.
	ErrReadOnly = errors.New("routertest: read-only")
	// ErrSerialization ends a transaction whose snapshot another write has overtaken. It may run again.
	ErrSerialization = errors.New("routertest: serialization failure")
	// ErrRecoveryConflict ends a read that replay is in conflict with.
	ErrRecoveryConflict = errors.New("routertest: canceled by a conflict with recovery")
	// ErrCanceled ends a statement that the server was asked to stop, and has undone.
	ErrCanceled = errors.New("routertest: canceled")
	// ErrBusy says that the server takes no work now.
	ErrBusy = errors.New("routertest: the server is starting up")
	// ErrSessionEnded ends the session of a statement that took too long, before it did anything, and leaves its
	// client without that knowledge. Its connection breaks, no other does.
	ErrSessionEnded = errors.New("routertest: the session is ended: a transaction took too long")
	// ErrLeaving refuses a write as a server does that may be about to leave its cluster. Nothing was done.
	ErrLeaving = errors.New("routertest: refused by a server that may be leaving")
	// ErrRefused is any other answer that did nothing. The servers' own refusals match it.
	ErrRefused = errors.New("routertest: refused")
	// ErrAnswerLost is for faults to be injected only: the statement is carried out, then the
	// connection breaks, and the client gets io.ErrUnexpectedEOF.
	ErrAnswerLost = errors.New("routertest: the answer is lost")
)

var errClosed = errors.New("routertest: the cluster is closed: it ends with its test")
