package mysqlbind

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	"github.com/go-sql-driver/mysql"

	"github.com/bindery-go/bindery/binds"
)

// MySQL Router greets clients itself where it knows their statements, which it must to share a server's sessions among
// them, or to send what reads to a replica: with its server's version, to which it appends this.
const routerMark = "-router"

// holdSession has a router keep the server's session for this client. One that shares sessions gives away each that is idle
// for connection_sharing_delay, but not one with a user variable (MySQL Router 9.7 manual, 3.4).
const holdSession = "SET @bindery_holds_this_session = 1"

// markPrefix begins the name of a lock that a session through a router has as long as it is this client's: a router gives a session that
// its client has left to the next one, with its identifier, but without its locks.
const markPrefix = "bindery-session-"

// refusesMode is how a router answers ROUTER SET that shares sessions, but does not choose servers by statement.
const refusesMode = "ROUTER SET access_mode"

const splitting = "read-write splitting"

// A routing is how a session goes through MySQL Router; the zero value is that none stands between.
type routing struct {
	router string // its name, and what its port does
	mark   string // a named lock of the session's
	splits bool   // it sends each statement where it thinks fit, but for those of this session
}

// routed prepares a session that goes through MySQL Router.
// Where the router sends each statement to the server that it thinks fit, the session stays with one: a writer's with the
// primary, a reader's with a replica while there is one. Without a router it asks nothing.
func routed(ctx context.Context, c nativeConn, greeted string, role binds.Role) (routing, error) {
	version, ok := strings.CutSuffix(greeted, routerMark)
	if !ok {
		return routing{}, nil
	}
	mode := "read_write"
	if role == binds.Reader {
		mode = "read_only"
	}
	_, err := c.ExecContext(ctx, "ROUTER SET access_mode = '"+mode+"'", nil)
	does := splitting
	if answer := (*mysql.MySQLError)(nil); errors.As(err, &answer) && answer.Number == 1064 /* ER_PARSE_ERROR */ {
		does, err = "sessions of its own", nil // it was the server that answered
		if strings.HasPrefix(answer.Message, refusesMode) {
			does = "connection sharing"
		}
	}
	if err == nil {
		_, err = c.ExecContext(ctx, holdSession, nil)
	}
	mark := markPrefix + rand.Text()
	if err == nil {
		_, err = oneRow(ctx, c, "SELECT GET_LOCK('"+mark+"', 0)")
	}
	if err != nil {
		return routing{}, fmt.Errorf("mysqlbind: have MySQL Router keep the session to one server: %w", err)
	}
	return routing{router: fmt.Sprintf("MySQL Router %s (%s)", version, does), mark: mark, splits: does == splitting}, nil
}

// hasMark reports whether a session of the server that c is connected with is still that of the client that marked it.
func hasMark(ctx context.Context, c nativeConn, s session) bool {
	row, err := oneRow(ctx, c, fmt.Sprintf("SELECT IS_USED_LOCK('%s') = %d", s.mark, s.id))
	return err == nil && row[0] == "1"
}

var (
	_ binds.ProbeJudge = (*conn)(nil)
	_ binds.Pooled     = (*source)(nil)
)

// Judge tells of the router that p came through. It changes nothing else: the session stays on its server.
func (c *conn) Judge(p binds.Probe) binds.Probe {
	p.Pooler = c.session.router
	return p
}

// Pooler names the router that the source's connections were found to go through, "" if none was.
func (s *source) Pooler() string {
	if name := s.router.Load(); name != nil {
		return *name
	}
	return ""
}
