package manager

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/bindery-go/bindery/binds"
)

// ErrClosed reports the use of a [DBManager] after its Close.
var ErrClosed = errors.New("manager: the manager is closed")

// ErrNoBinds reports a configuration that names no database.
var ErrNoBinds = errors.New(`manager: the configuration names no database: add a [binds] table or a lone uri`)

// TenantError reports a tenant of [WithTenants] that could not be opened.
type TenantError struct {
	Key binds.Key
	Err error // of the function of WithTenants, what is wrong with what it returned, or why the database cannot be reached
}

func (e *TenantError) Error() string {
	return fmt.Sprintf("manager: tenant %q: %v", e.Key.String(), e.Err)
}

func (e *TenantError) Unwrap() error { return e.Err }

// TenantsInUseError reports a tenant that could not be opened because as many are open as [Max] allows, and all of them were in use for as long as it
// waited. It matches what Err does.
type TenantsInUseError struct {
	Key    binds.Key // that was to be opened
	Max    int
	Waited time.Duration // 0 if that is not known
	Err    error         // whose time was over: the caller's context, or that of [OpenWithin]
}

func (e *TenantsInUseError) Error() string {
	waited := ""
	if e.Waited > 0 {
		waited = fmt.Sprintf(" after %v", e.Waited.Round(time.Millisecond))
	}
	return fmt.Sprintf("manager: tenant %q: all %d tenants that may be open are in use%s: end sooner what uses them (statements, rows, transactions, locks), or raise Max: %v",
		e.Key.String(), e.Max, waited, e.Err)
}

func (e *TenantsInUseError) Unwrap() error { return e.Err }

// Errors of named locks, inside a [*LockError].
var (
	// ErrLockTimeout reports a lock that somebody else held for as long as [Wait] or [TryOnly] allowed.
	ErrLockTimeout = errors.New("the lock was not free in time")
	// ErrLockLost reports a lock that was no longer held when it should have been, or that may not
	// have been.
	ErrLockLost = errors.New("the lock was lost")
	// ErrTooManyLocks is matched by a [*LockLimitError].
	ErrTooManyLocks = errors.New("too many locks")
)

var (
	errSilence = errors.New("the server gave no sign of it in time")
	errNotHeld = errors.New("the server says that it was not held")
)

// LockError reports a lock that was not taken, or was lost.
type LockError struct {
	Bind   binds.Key
	Name   string
	Holder string // who had it instead: "pid 4711, client 10.0.0.7"; "" if the server was not asked or does not tell
	Err    error  // matches ErrLockTimeout, ErrLockLost, ErrTooManyLocks, ErrClosed, the context's error, or is the server's
}

func (e *LockError) Error() string {
	var bad *binds.LockNameError
	if errors.As(e.Err, &bad) { // which shows the name, as far as it is worth
		return fmt.Sprintf("manager: lock of bind %q: %v", e.Bind.String(), e.Err)
	}
	text := fmt.Sprintf("manager: lock %q of bind %q: %v", e.Name, e.Bind.String(), e.Err)
	if e.Holder != "" {
		text += " (held by " + e.Holder + ")"
	}
	return text
}

func (e *LockError) Unwrap() error { return e.Err }

// lostError is [ErrLockLost] with what shows it.
type lostError struct{ cause error }

func (e *lostError) Error() string   { return ErrLockLost.Error() + ": " + e.cause.Error() }
func (e *lostError) Unwrap() []error { return []error{ErrLockLost, e.cause} }

// timeoutError is [ErrLockTimeout] of a wait that did not even reach the server. It does not match its
// cause, which may be a context's error: that of the wait, not the caller's.
type timeoutError struct{ cause error }

func (e *timeoutError) Error() string { return ErrLockTimeout.Error() + ": " + e.cause.Error() }
func (e *timeoutError) Unwrap() error { return ErrLockTimeout }

// ConfigError reports one mistake in a configuration. All mistakes of a file are reported at once,
// joined.
type ConfigError struct {
	File string // "" for a Config made in code
	Line int    // 0 where there is none
	Key  string // the dotted key: "binds.accounts.max_open"; "" for the file as a whole
	Err  error
}

func (e *ConfigError) Error() string {
	var b strings.Builder
	switch {
	case e.File != "" && e.Line > 0:
		fmt.Fprintf(&b, "%s:%d: ", e.File, e.Line)
	case e.File != "":
		fmt.Fprintf(&b, "%s: ", e.File)
	default:
		b.WriteString("manager: config: ")
	}
	if e.Key != "" {
		fmt.Fprintf(&b, "%s: ", e.Key)
	}
	b.WriteString(e.Err.Error())
	return b.String()
}

func (e *ConfigError) Unwrap() error { return e.Err }

// TableError reports what [DBManager.CreateTables] and its like could not do with a model's table.
type TableError struct {
	Bind  binds.Key
	Model reflect.Type // nil if it concerns every table of the bind: its server, its lock
	Table string       // the table's name, "" where it is not known
	Op    string       // "create", "drop", "create index users_email of"; "" before anything was tried
	Err   error

	unbound bool // which bind it is cannot be told
}

func (e *TableError) Error() string {
	switch {
	case e.unbound && e.Model == nil:
		return fmt.Sprintf("manager: table of a model: %v", e.Err)
	case e.unbound:
		return fmt.Sprintf("manager: table of model %s: %v", e.Model, e.Err)
	case e.Model == nil:
		return fmt.Sprintf("manager: tables of bind %q: %v", e.Bind.String(), e.Err)
	case e.Op == "":
		return fmt.Sprintf("manager: table of model %s in bind %q: %v", e.Model, e.Bind.String(), e.Err)
	}
	return fmt.Sprintf("manager: %s table %q of model %s in bind %q: %v", e.Op, e.Table, e.Model, e.Bind.String(), e.Err)
}

func (e *TableError) Unwrap() error { return e.Err }

// RoleError reports a server that is not what the role of its engine needs, see [DBManager.Check].
type RoleError struct {
	Engine string // the engine's name
	Role   binds.Role
	Reason string // what is wrong, and the cure
}

func (e *RoleError) Error() string {
	return fmt.Sprintf("manager: check %q: it cannot be a %s: %s", e.Engine, e.Role, e.Reason)
}

// MissingTableError reports a model's table that its bind's writer does not have, see [DBManager.Check].
type MissingTableError struct {
	Bind  binds.Key
	Model reflect.Type
	Table string
}

func (e *MissingTableError) Error() string {
	return fmt.Sprintf("manager: check bind %q: the table %q of model %s is missing: call CreateTables, or run the migrations", e.Bind.String(), e.Table, e.Model)
}

// errInTransaction reports a change of the schema in a context with a transaction: on SQLite it would
// wait for that, and MySQL would commit it.
var errInTransaction = errors.New("the context has an open transaction on this bind: do it before or after that")

// DoubtedMigrationsError reports migrations that may or may not be applied: they were noted by a program that did not tell the binds
// of a database apart, and another bind has taken the notes over. Nothing was run.
type DoubtedMigrationsError struct {
	Bind   binds.Key
	Holder binds.Key // the bind that has taken the notes over
	Names  []string  // "20240102_email"
}

func (e *DoubtedMigrationsError) Error() string {
	return fmt.Sprintf("whether bind %q has applied %s is not known: the notes were made before they told binds apart, and bind %q has taken them over: "+
		"look at the tables, and call Up once with AssumeApplied (they are there) or AssumePending (they are to be made)",
		e.Bind.String(), strings.Join(e.Names, ", "), e.Holder.String())
}

// MigrationError reports that a bind's migrations could not be run, undone or looked at.
type MigrationError struct {
	Bind      binds.Key
	Direction string // "up", "down", "status", "baseline"
	// Name is the migration that failed, "20240102_email"; "" if it was none: the server, the lock, the
	// state that was found.
	Name string
	// Unnoted says that the migration itself went well, and the note of it could not be written.
	Unnoted bool
	Done    []string // what this run had applied, or undone, before
	Left    []string // what it did not get to, the migration that failed first
	// Unsure says that Name, Done and Left are not known, because the server could not be asked.
	Unsure bool
	Err    error

	commits bool // each DDL statement commits
}

func (e *MigrationError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "manager: migrate bind %q %s: ", e.Bind.String(), e.Direction)
	if e.Name == "" {
		b.WriteString(e.Err.Error())
		return b.String()
	}
	verb, not := "applied", "not applied"
	if e.Direction == down {
		verb, not = "undone", "still applied"
	}
	switch {
	case e.Unnoted:
		fmt.Fprintf(&b, "%s ran, and that could not be noted: %v", e.Name, e.Err)
	default:
		fmt.Fprintf(&b, "%s failed: %v", e.Name, e.Err)
	}
	fmt.Fprintf(&b, "; %s by this run: %s; %s: %s; ", verb, listed(e.Done), not, listed(e.Left))
	switch {
	case e.Unnoted:
		b.WriteString("it will run again: see that it can")
	case e.commits:
		b.WriteString("each DDL statement commits here: undo by hand what the migration did before it failed, then try again")
	default:
		b.WriteString("a .tx.sql migration was rolled back: mend it and try again; undo by hand what another one did before it failed")
	}
	return b.String()
}

func (e *MigrationError) Unwrap() error { return e.Err }

func listed(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
