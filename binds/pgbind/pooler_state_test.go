package pgbind

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/bindery-go/bindery/binds"
)

// Two connections in one session, or one in two, show that sessions are shared; a closed connection's session may be the next one's.
func TestSessions(t *testing.T) {
	for reason, row := range map[string]struct {
		run  func(s *sessions, a, b *wire)
		want bool
	}{
		"each in its own": {func(s *sessions, a, b *wire) { s.note(a, "1"); s.note(b, "2"); s.note(a, "1") }, false},
		"two in one":      {func(s *sessions, a, b *wire) { s.note(a, "1"); s.note(b, "1") }, true},
		"one in two":      {func(s *sessions, a, _ *wire) { s.note(a, "1"); s.note(a, "2") }, true},
		"after its close": {func(s *sessions, a, b *wire) { s.note(a, "1"); s.forget(a); s.note(b, "1") }, false},
		"one strayed":     {func(s *sessions, _, _ *wire) { s.strayed() }, true},
		"nothing":         {func(*sessions, *wire, *wire) {}, false},
	} {
		t.Run(reason, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &sessions{}
				row.run(s, &wire{}, &wire{})
				assert.Equal(t, row.want, s.areShared())
				time.Sleep(sharedFor)
				assert.False(t, s.areShared(), "it may have been wrong")
			})
		})
	}
}

// What a statement brings along depends on whose session it runs in.
func TestBring(t *testing.T) {
	for reason, row := range map[string]struct {
		conn conn
		want string
	}{
		"no pooler":        {conn{role: binds.Reader, pin: "p", wire: &wire{tap: tap{status: statusIdle}}}, "SELECT 1"},
		"session pooling":  {conn{role: binds.Reader, wire: &wire{tap: tap{status: statusIdle, pooling: poolsSessions}}}, "SELECT 1"},
		"a writer":         {conn{role: binds.Writer, wire: &wire{tap: tap{status: statusIdle, pooling: poolsUnknown}}}, "SELECT 1"},
		"in a transaction": {conn{role: binds.Reader, pin: "p", wire: &wire{tap: tap{status: 'T', pooling: poolsUnknown}}}, "SELECT 1"},
		"transactions":     {conn{role: binds.Reader, wire: &wire{tap: tap{status: statusIdle, pooling: poolsTransactions}}}, "SET TRANSACTION READ ONLY; SELECT 1"},
		"to be pinned":     {conn{role: binds.Reader, pinning: "p", wire: &wire{tap: tap{status: statusIdle, pooling: poolsUnknown}}}, "SET TRANSACTION READ ONLY; DECLARE p CURSOR WITH HOLD FOR SELECT 1; SELECT 1"},
		"pinned":           {conn{role: binds.Reader, pin: "p", wire: &wire{tap: tap{status: statusIdle, pooling: poolsUnknown}}}, "SET TRANSACTION READ ONLY; MOVE 0 IN p; SELECT 1"},
	} {
		assert.Equal(t, row.want, row.conn.bring("SELECT 1"), reason)
	}
}

// A pooler's own word counts, one that we do not know is a pooler all the same, and equal process ids are none.
func TestMeet(t *testing.T) {
	parameter := func(name, value string) *wire {
		w := &wire{tap: tap{pid: 7}}
		w.parameter([]byte(name + "\x00" + value + "\x00"))
		w.meet("8")
		return w
	}
	assert.Equal(t, poolsSessions, parameter("pgbouncer.pool_mode", "session").pooling)
	assert.Equal(t, poolsTransactions, parameter("pgbouncer.pool_mode", "transaction").pooling)
	assert.Equal(t, poolsStatements, parameter("pgbouncer.pool_mode", "statement").pooling)
	assert.Equal(t, poolsUnknown, parameter("pgbouncer.pool_mode", "galaxy").pooling)
	assert.Equal(t, poolsUnknown, parameter("in_hot_standby", "on").pooling)
	for _, pid := range []string{"7", ""} {
		w := &wire{tap: tap{pid: 7}}
		w.meet(pid)
		assert.Equal(t, noPooler, w.pooling, pid)
	}
	w := &wire{}
	w.meet("8")
	assert.Equal(t, noPooler, w.pooling, "it gave no process id to compare")
}
