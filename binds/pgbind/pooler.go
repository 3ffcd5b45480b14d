package pgbind

import (
	"context"
	"crypto/rand"
	"database/sql/driver"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/uptrace/bun/driver/pgdriver"

	"github.com/bindery-go/bindery/binds"
)

// pooling says whether a pooler stands between a connection and its server, and what it pools.
//
// PostgreSQL's BackendKeyData message holds the session's process id, the one that pg_backend_pid() tells. PgBouncer's
// holds random bits, whatever it pools. From version 1.26 on it also reports what it pools, as a parameter.
type pooling uint8

const (
	noPooler           pooling = iota // none has shown itself
	poolsSessions                     // the connection is one session, as without a pooler
	poolsUnknown                      // a pooler that does not say what it pools
	poolsTransactions                 // each transaction may run in another session, on another server
	poolsStatements                   // each statement may; there are no transactions of several
	codeInvalidCursor  = "34000"
	sharedFor          = 10 * time.Minute
	pinPrefix          = "bindery_"
	readOnlyStatement  = "SET TRANSACTION READ ONLY; "
	readOnlyFunction   = "SELECT set_config('transaction_read_only', 'on', true)"
	unknownPoolerTitle = "a pooler that does not tell what it pools (PgBouncer before 1.26 or another)"
)

// poolModes are the values of PgBouncer's pool_mode, as it reports them.
var poolModes = map[string]pooling{
	"session": poolsSessions, "transaction": poolsTransactions, "statement": poolsStatements,
}

// shares reports that sessions of the server may be shared with other clients: nothing may be left in one.
func (p pooling) shares() bool { return p >= poolsUnknown }

// sessions are the server's sessions that the open connections of one source were seen in. Two connections
// in one session, or one connection in two, show that a pooler pools transactions. Such a finding counts for
// sharedFor: it may be wrong, where a connection has died unnoticed and its session went to the next client, say.
type sessions struct {
	balancing
	defaults
	mu     sync.Mutex // guards the rest
	of     map[string]*wire
	shared time.Time // the latest finding; the zero time if there was none
	pooler string    // what stands between, as far as it is known; "" if nothing does
}

// Pooler names the pooler that the source's connections were found to go through, "" if none was.
func (s *source) Pooler() string {
	s.sessions.mu.Lock()
	defer s.sessions.mu.Unlock()
	return s.sessions.pooler
}

// know takes in that a connection goes through a pooler.
func (s *sessions) know(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pooler = name
}

// note takes in that a statement of w ran in a session.
func (s *sessions) note(w *wire, session string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	other := s.of[session]
	if other != nil && other != w || w.session != "" && w.session != session {
		s.shared = time.Now()
	}
	s.leave(w)
	if s.of == nil {
		s.of = make(map[string]*wire)
	}
	s.of[session], w.session = w, session
}

// strayed takes in that a statement ran in another session than those before it.
func (s *sessions) strayed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shared = time.Now()
}

// forget is called before a connection is closed: from then on its session may be another's.
func (s *sessions) forget(w *wire) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leave(w)
}

func (s *sessions) leave(w *wire) {
	if s.of[w.session] == w {
		delete(s.of, w.session)
	}
}

func (s *sessions) areShared() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.shared.IsZero() && time.Since(s.shared) < sharedFor
}

// askSession runs a query whose one row begins with the process id of the session it runs in, and takes that in.
func (w *wire) askSession(pg *pgdriver.Conn, query string, row []driver.Value) error {
	rows, err := pg.QueryContext(background, query, nil)
	if err != nil {
		return err
	}
	err = rows.Next(row)
	pid, _ := row[0].(string)
	w.meet(pid)
	return errors.Join(err, rows.Close())
}

// meet takes in that the session's process id, as the server tells it, is pid.
func (w *wire) meet(pid string) {
	if w.pooling == noPooler && w.pid != 0 && pid != "" && pid != strconv.FormatUint(uint64(w.pid), 10) {
		w.pooling = poolsUnknown
	}
}

// poolerName names a pooler and what it pools, "" if there is none.
func (w *wire) poolerName(p pooling) string {
	name := "PgBouncer"
	if w.pgpool {
		name = "Pgpool-II"
	}
	if w.poolerVersion != "" {
		name += " " + w.poolerVersion
	}
	switch p {
	case noPooler:
		return ""
	case poolsSessions:
		return name + " (session pooling)"
	case poolsStatements:
		return name + " (statement pooling)"
	case poolsTransactions:
		if w.poolerVersion == "" {
			name = "a pooler"
		}
		return name + " (transaction pooling)"
	}
	return unknownPoolerTitle
}

// pooled returns what is known by now of what the connection's pooler pools.
func (c *conn) pooled() pooling {
	if c.wire.pooling == poolsUnknown && c.sessions.areShared() {
		return poolsTransactions
	}
	return c.wire.pooling
}

var (
	_ binds.ProbeJudge = (*conn)(nil)
	_ binds.Pinner     = (*conn)(nil)
	_ binds.Pooled     = (*source)(nil)
)

// Judge tells of the pooler that p came through. A reader's position proves nothing where the next statement may run
// on another server. The writer's does: there is one primary, and a pooler that goes to another is seen by that.
func (c *conn) Judge(p binds.Probe) binds.Probe {
	c.wire.meet(p.Session)
	if c.wire.pooling == poolsUnknown {
		c.sessions.note(c.wire, p.Session)
	}
	is := c.pooled()
	p.Pooler = c.wire.poolerName(is)
	c.sessions.know(p.Pooler)
	p.Shared = is >= poolsTransactions
	if p.Shared && c.role == binds.Reader && p.Doubt == nil {
		p.Doubt = &PoolerError{Pooler: p.Pooler, Need: "a proof of freshness"}
	}
	return p
}

// Pin has the connection's further statements run in the session of the next one, or not at all. It reports whether
// that is called for: where a pooler may change the session.
//
// The next statement leaves a cursor in its session. Each later one begins with a MOVE in that, which is an error
// elsewhere, and then nothing of the statement was run.
func (c *conn) Pin() bool {
	if c.role != binds.Reader || c.pooled() != poolsUnknown {
		return false
	}
	c.pinning = pinPrefix + strings.ToLower(rand.Text())
	return true
}

// bring returns a query with what it must bring along, because nothing may be left in the session for it.
func (c *conn) bring(query string) string {
	query = c.direct(query)
	if !c.bringsAlong() {
		return query
	}
	if pin := c.pinned(); pin != "" {
		return readOnlyStatement + pin + "; " + query
	}
	return readOnlyStatement + query
}

// bringBefore is bring for a query of the extended protocol, whose text is one statement: those that go before it. They are one
// transaction with it. SET TRANSACTION would be warned of there, in the server's log.
func (c *conn) bringBefore() []string {
	if !c.bringsAlong() {
		return nil
	}
	before := []string{readOnlyFunction}
	if pin := c.pinned(); pin != "" {
		before = append(before, pin)
	}
	return before
}

func (c *conn) bringsAlong() bool {
	return c.wire.pooling.shares() && c.role == binds.Reader && c.wire.status == statusIdle
}

// pinned returns the statement that holds what follows it to one session, "" if nothing does.
func (c *conn) pinned() string {
	switch {
	case c.pinning != "":
		c.pin, c.pinning = c.pinning, ""
		return "DECLARE " + c.pin + " CURSOR WITH HOLD FOR SELECT 1"
	case c.pin != "":
		return "MOVE 0 IN " + c.pin
	}
	return ""
}

// direct returns a query with what leads it to the primary, where a pooler would choose.
func (c *conn) direct(query string) string {
	if c.wire.pgpool {
		return toPrimary + query
	}
	return query
}

// execBegin begins a transaction. A reader's is read-only.
func (c *conn) execBegin(ctx context.Context, query string) error {
	if err := c.begin(ctx); err != nil {
		return err
	}
	_, err := c.pg.ExecContext(background, c.bringBegin(query), nil)
	return c.finish(ctx, err)
}

// bringBegin is bring for a BEGIN READ ONLY.
func (c *conn) bringBegin(query string) string {
	if c.pin != "" {
		return query + "; MOVE 0 IN " + c.pin
	}
	return query
}

// hasStrayed reports of an answer that the statement came to another session than the one it was pinned to. Nothing
// was run.
func (c *conn) hasStrayed(answer pgdriver.Error) bool {
	if c.pin == "" || answer.Field('C') != codeInvalidCursor || !strings.Contains(answer.Field('M'), c.pin) {
		return false
	}
	c.sessions.strayed()
	return true
}

// A PoolerError reports what cannot be had through a pooler between this process and the server.
type PoolerError struct {
	Pooler string // what is known of it: "PgBouncer 1.26.1 (transaction pooling)"
	Need   string // what cannot be had: "a proof of freshness"
	Err    error  // the server's or the pooler's answer; nil if it was not asked
}

func (e *PoolerError) Error() string {
	text := fmt.Sprintf("pgbind: %s stands between: %s needs one session on one server: "+
		"give the server's own address, or let the pooler pool sessions (PgBouncer: pool_mode = session)", e.Pooler, e.Need)
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns the answer.
func (e *PoolerError) Unwrap() error { return e.Err }

// fasten makes a reader's session read-only that has not reported to be: one of a server before PostgreSQL 14, or one
// behind a pooler that dropped the parameter. Where others may use the session it is left as it is, for the SET would
// be theirs, too: each statement brings its own then. One statement finds out which it is.
func (w *wire) fasten(pg *pgdriver.Conn) error {
	switch {
	case w.pooling.shares():
		return nil
	case w.pooling == poolsSessions || w.pid == 0:
		return putBelt(pg)
	}
	var row [2]driver.Value
	return w.askSession(pg, fmt.Sprintf("SELECT pg_backend_pid()::text,"+
		" CASE WHEN pg_backend_pid() = %d THEN set_config('%s', 'on', false) END", int32(w.pid), beltParameter), row[:])
}

// explainRefusal adds the cure to a pooler's refusal of what the start-up message asks for.
func explainRefusal(err error) error {
	var answer pgdriver.Error
	if !errors.As(err, &answer) {
		return err
	}
	name, refused := refusedParameter(answer)
	if !refused {
		return err
	}
	return fmt.Errorf("%w (PgBouncer refuses it: add %s to its ignore_startup_parameters; a reader is read-only all the same)", err, name)
}

// refusedParameter names the parameter of the start-up message that a pooler refuses.
func refusedParameter(answer pgdriver.Error) (name string, ok bool) {
	const refusal = "unsupported startup parameter"
	if !strings.HasPrefix(answer.Field('M'), refusal) {
		return "", false
	}
	_, name, _ = strings.Cut(strings.TrimPrefix(answer.Field('M'), refusal+": "), "options: ")
	if name == "" {
		name = strings.TrimPrefix(answer.Field('M'), refusal+": ")
	}
	name, _, _ = strings.Cut(name, "=")
	return name, true
}

// refuseShared returns the error of what needs a session of its own, nil if the connection has one as far as known.
func (c *conn) refuseShared(need string) error {
	if c.role != binds.Reader || !c.wire.pooling.shares() {
		return nil
	}
	return &PoolerError{Pooler: c.wire.poolerName(c.pooled()), Need: need}
}
