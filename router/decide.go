package router

import (
	"context"

	"github.com/bindery-go/bindery/router/sqlkind"
)

// Decide says where a builder's statement with the text query, as [Router.Routed] gets it, would run now, and why. Nothing is sent and nothing is
// counted. The decision is made by the code that routes statements, for a context without a session or transaction: of what ctx says,
// [OnWriter], [OnReader] and [MaxStale] count. It holds for this moment: a policy may pick another reader for the next statement, a reader may
// fall behind.
//
// Like a read, it may wait a moment for a look at the servers, where nobody has read for a minute or the process has just written. The error is the one
// that the statement would fail with, such as a [*NoReaderError]. It is safe for concurrent use. [sqlkind.Classifier.Why] says what in
// the text made it a write.
func (r *Router) Decide(ctx context.Context, query string) (Decision, error) {
	was := scopeOf(ctx)
	s := scope{hint: was.hint, stale: was.stale}
	c := Conn{router: r, mode: anywhere, dry: true}
	var to route
	if err := c.route(ctx, &s, query, &to); err != nil {
		return Decision{}, err
	}
	d := c.decision(&to)
	d.Query = sqlkind.Outline(r.dialect.Name(), query, MaxDecisionQuery)
	return d, nil
}

// Why says what makes query no plain read in this bind, see [sqlkind.Classifier.Why].
func (r *Router) Why(query string) sqlkind.Cause { return r.kinds.Why(query) }
