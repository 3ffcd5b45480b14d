package manager

import (
	"errors"
	"fmt"
	"time"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/router"
)

// Ready returns why a bind cannot do its work now, for each that cannot, joined; nil if all can. It looks at what binds can
// serve, where [Report.Err] looks at each server: a bind is ready while its writer accepts writes and somebody serves its
// reads, though a reader be down or of the wrong role; and while none of its given models' tables and columns is missing
// or holds no value of its field. Good as
// a readiness probe: a dead replica must not take a service out.
func (r Report) Ready() error {
	errs := append([]error(nil), r.Errs...)
	for i := range r.Binds {
		errs = append(errs, r.Binds[i].Ready())
	}
	return errors.Join(errs...)
}

// Ready returns why the bind cannot do its work now, nil if it can, see [Report.Ready].
func (r BindReport) Ready() error {
	var errs []error
	if !r.Writes {
		errs = append(errs, &NotReadyError{Bind: r.Bind, Work: "writes", Err: errors.Join(r.Engines[0].Err, r.Engines[0].RoleErr)})
	}
	if !r.Reads {
		var why []error
		for i := range r.Engines {
			why = append(why, r.Engines[i].Err, r.Engines[i].RoleErr)
		}
		errs = append(errs, &NotReadyError{Bind: r.Bind, Work: "reads", Err: errors.Join(why...)})
	}
	errs = append(errs, r.Errs...)
	for i := range r.Missing {
		errs = append(errs, &r.Missing[i])
	}
	for i := range r.Columns {
		errs = append(errs, &r.Columns[i])
	}
	return errors.Join(errs...)
}

// NotReadyError reports a bind that cannot do a kind of work now.
type NotReadyError struct {
	Bind binds.Key
	Work string // "writes", "reads"
	Err  error  // what is wrong with its servers
}

func (e *NotReadyError) Error() string {
	return fmt.Sprintf("manager: bind %q cannot serve %s now: %v", e.Bind.String(), e.Work, e.Err)
}

func (e *NotReadyError) Unwrap() error { return e.Err }

// judge finds out what the bind can serve. OnlyReaders says that its writer serves no reads.
func (r *BindReport) judge(onlyReaders bool) {
	writer := &r.Engines[0]
	r.Writes = writer.Err == nil && writer.RoleErr == nil
	r.Reads = r.Writes && !(onlyReaders && len(r.Engines) > 1)
	for i := range r.Engines[1:] {
		r.Reads = r.Reads || r.Engines[i+1].Serving
	}
}

// whyNotServing says why plain reads may not go to a reader now, "" if they may.
func whyNotServing(h *router.Health, maxLag time.Duration) string {
	switch {
	case h.Drained:
		return "it was taken out of service by Drain"
	case h.Serving, h.Shared:
		return ""
	case h.Down != nil:
		return "it is taken for down: " + h.Down.Error()
	case h.Doubt != nil:
		return "its freshness is not proved: " + h.Doubt.Error()
	case h.LagKnown && maxLag >= 0 && h.Lag > maxLag/4:
		return fmt.Sprintf("it trails by %v: it leaves at half of max_lag (%v), and returns at a quarter", h.Lag.Round(time.Millisecond), maxLag)
	}
	return "it has not been proved yet"
}
