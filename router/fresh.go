package router

import (
	"context"
	"time"

	"github.com/bindery-go/bindery/router/sqlkind"
)

// noNeed is a need that every reader meets, also one of which nothing is known.
const noNeed = time.Duration(-1)

// whose says whose writes a read must show that belongs to no session.
type whose uint8

const (
	everybodys whose = iota // of this process
	sessions                // only sessions have any
	nobodys
)

func (f *Freshness) whose() whose {
	switch f.ReadYourWrites {
	case NoWrites:
		return nobodys
	case SessionWrites:
		return sessions
	}
	return everybodys
}

// need returns the moment before which every acknowledged write must be visible to a read, and the
// read's session, if it has one that counts.
func (r *Router) need(s *scope) (time.Duration, *sessionBind) {
	need := noNeed
	var sb *sessionBind
	switch {
	case r.whose == nobodys:
	case s.session != nil:
		sb = s.session.on(r)
		need = orNone(max(sb.wrote.Load(), r.lastSchema.Load()))
	default:
		need = r.needAlone()
	}
	if s.stale > 0 {
		need = max(need, r.now()-s.stale-1)
	}
	return need, sb
}

// needAlone is what a read needs that belongs to no session. A change of the schema by this process counts for everybody:
// a reader without it does not know the table.
func (r *Router) needAlone() time.Duration {
	switch r.whose {
	case everybodys:
		return orNone(r.lastWrite.Load()) // of the schema, too
	case sessions:
		return orNone(r.lastSchema.Load())
	}
	return noNeed
}

func orNone(at int64) time.Duration {
	if at == 0 {
		return noNeed
	}
	return time.Duration(at)
}

// freshReader sends a read with that need, of session sb if that is not nil, to a reader that may serve it,
// and reports false if the writer must.
func (r *Router) freshReader(v *view, need time.Duration, sb *sessionBind, to *route) bool {
	to.kind, to.reason = sqlkind.Read, PlainRead
	if sb != nil {
		to.sb = sb
		to.reader, to.lease = sb.choose(r, v, need)
		to.late = to.reader == nil && len(v.freshEnough(need)) > 0
		return to.reader != nil
	}
	fit := v.freshEnough(need)
	if len(fit) == 0 {
		return false
	}
	to.reader = r.pick(fit)
	to.lease = v.leaseOf(to.reader)
	return true
}

// pick asks the policy, unless there is no choice.
func (r *Router) pick(fit []*Reader) *Reader {
	switch {
	case len(fit) == 1:
		return fit[0]
	case r.leastLoaded:
		return LeastLoaded{}.Pick(fit)
	}
	return r.policy.Pick(fit)
}

// now is the router's monotonic clock: the moments of writes, reads and horizons are told on it. It
// is never zero.
func (r *Router) now() time.Duration { return max(time.Since(r.started), 1) }

// question begins a question to the writer and returns its moment, later than that of any before. Ask
// after it.
func (r *Router) question() time.Duration {
	for {
		last := r.asked.Load()
		at := max(int64(r.now()), last+1)
		if r.asked.CompareAndSwap(last, at) {
			return time.Duration(at)
		}
	}
}

// moment is what is noted of a write that has ended, or a read: the latest question to the writer that
// was begun before. Horizons are moments of such questions, so that a horizon past it is that of a
// later question, to which the writer's answer covers the write. That is as good as the time, and one
// load, where a clock costs more than all the rest of a decision.
func (r *Router) moment() time.Duration { return time.Duration(r.asked.Load()) }

// Routed is what has a router: a manager's Bind, and the [Router] itself.
type Routed interface{ Router() *Router }

// Router returns r.
func (r *Router) Router() *Router { return r }

// Wrote notes that the context's session, and this process, have written to a bind where the router
// cannot see it: through Native(), or by another program that has been waited for. Call it when the
// write is committed; a read that begins after it shows the write.
func Wrote(ctx context.Context, b Routed) { b.Router().wrote(SessionFrom(ctx)) }

// wroteSchema notes that this process has changed the schema.
func (r *Router) wroteSchema() { raise(&r.lastSchema, r.moment()) }

// wrote notes that a session, if s is one, and this process have written to the bind.
func (r *Router) wrote(s *Session) {
	at := r.moment()
	raise(&r.lastWrite, at)
	if s != nil {
		raise(&s.on(r).wrote, at)
		s.outdated.Store(true)
	}
}
