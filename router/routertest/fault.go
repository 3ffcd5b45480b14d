package routertest

import (
	"errors"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/bindery-go/bindery/binds"
)

var (
	_ binds.FaultClassifier = (*Cluster)(nil)
	_ binds.RoleDoubter     = (*Cluster)(nil)
)

var faults = []struct {
	err   error
	fault binds.Fault
}{
	{ErrReadOnly, binds.ReadOnly},
	{ErrSerialization, binds.Retryable},
	{ErrRecoveryConflict, binds.RecoveryConflict},
	{ErrCanceled, binds.Canceled},
	{ErrBusy, binds.Busy},
	{ErrSessionEnded, binds.SessionEnded},
	{ErrLeaving, binds.Refused},
	{ErrRefused, binds.Refused},
	{ErrAnswerLost, binds.Unknown},
}

// Classify says what an error proves: this package's own as their names say, SQLite's as refusals,
// the rest as [binds.ClassifyCommon] does. A context that ended while a statement was under way is
// Unknown.
func (c *Cluster) Classify(err error) binds.Fault {
	for _, f := range faults {
		if errors.Is(err, f.err) {
			return f.fault
		}
	}
	var answer *sqlite.Error
	if errors.As(err, &answer) {
		return binds.Refused
	}
	return binds.ClassifyCommon(err)
}

// DoubtsRole reports [ErrLeaving].
func (c *Cluster) DoubtsRole(err error) bool { return errors.Is(err, ErrLeaving) }

// isReadOnly reports whether SQLite refused a statement because it writes.
func isReadOnly(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_READONLY
}

// breaks reports whether an error that a driver returns means that its connection is gone.
func breaks(err error) bool {
	f := binds.ClassifyCommon(err)
	return f == binds.Unknown || f == binds.NotSent || errors.Is(err, ErrSessionEnded)
}
