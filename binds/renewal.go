package binds

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/bindery-go/bindery/internal/uripassword"
)

// WithPassword has password called for each new connection of the engine, and for no other reason, so that a password may change while the
// program runs: a token of a cloud's, one that a vault gives out, a file. Its URI must have a user and no password. The function must be safe for
// concurrent use, and fast where it can: callers wait for it, no longer than its context lives. An error of it fails the connection, a [*ConnectError], and so
// does a panic; the error must not hold the password.
//
// Where the server refuses a password, password is called again, since it may have been changed just then; if it gives the same, or another one that is
// refused, the latest that the server has taken is tried: at the moment of a change it may still be the right one. So give out the new password first, and
// change it at the server then.
func WithPassword(password func(ctx context.Context) (string, error)) OpenOption {
	return func(e *Engine) { e.password = password }
}

// A FileReader is a [Source] that has read files which may be replaced while the program runs: certificates and keys. When one has changed,
// the URI is read again before the next connection is made. If that fails, because a file is just being replaced say, the source of before serves on.
type FileReader interface {
	// Files returns their names.
	Files() []string
}

// A PasswordRefuser is a [Driver] that knows a server's refusal of a password from other errors.
type PasswordRefuser interface {
	RefusesPassword(err error) bool
}

// A renewal gives an engine the source for each new connection: as its URI is now, with the password of now. It is safe for
// concurrent use.
type renewal struct {
	role     Role
	refuses  func(error) bool
	password func(context.Context) (string, error)                       // nil: the URI's own
	open     func(ctx context.Context, password *string) (Source, error) // reads the URI; nil: the source is what it is

	mu     sync.Mutex // guards the rest
	now    *opened
	taken  *opened   // the latest whose password the server has taken; nil: there was none
	all    []*opened // the latest, whose connections may live
	closed bool      // there are no locks any more

	cancels  CancelStats  // of those that were forgotten
	oldLocks []NamedLocks // likewise
}

// opened is what a URI is with one password. Its renewal guards it.
type opened struct {
	source   Source
	nth      int  // of those that the engine ever had
	known    bool // password is what a WithPassword has given
	password string
	files    []fileState // as they were before the source read them

	connector, native driver.Connector // nil before they are used
	locks             NamedLocks
}

type fileState struct {
	name    string
	size    int64
	changed time.Time
}

func newRenewal(e *Engine, src Source) *renewal {
	r := &renewal{role: e.role, password: e.password, open: e.reopen, refuses: func(error) bool { return false }}
	if p, ok := e.driver.(PasswordRefuser); ok {
		r.refuses = p.RefusesPassword
	}
	first := &opened{source: src}
	for _, name := range first.names() {
		first.files = append(first.files, fileState{name: name}) // who knows what it was when it was read: the first connection reads it again
	}
	r.now, r.all = first, []*opened{first}
	return r
}

// names returns those of the files that the source has read.
func (o *opened) names() []string {
	if f, ok := o.source.(FileReader); ok {
		return f.Files()
	}
	return nil
}

// turnToLocked has next connections come from o, and returns what is to be closed when r.mu is not held any more.
func (r *renewal) turnToLocked(o *opened) (old []io.Closer) {
	o.nth = r.now.nth + 1
	r.now, r.all = o, append(r.all, o)
	if len(r.all) <= keepOpened {
		return nil
	}
	i := slices.IndexFunc(r.all, func(o *opened) bool { return o != r.taken })
	old = r.forgetLocked(r.all[i])
	r.all = slices.Delete(r.all, i, i+1)
	return old
}

// keepOpened is how many sources of one engine are kept for the connections that they have made, and beyond them how many for locks. A token of a cloud's
// lives for a quarter of an hour.
const keepOpened = 16

// forgetLocked gives up the connectors of o: what they have made is old by now, and what is given up on it is not told to the server any more. Locks
// are kept longer, since they are held longer.
func (r *renewal) forgetLocked(o *opened) (old []io.Closer) {
	if c, ok := o.connector.(CancelCounter); ok {
		r.cancels.add(c.Cancels())
	}
	for _, c := range []driver.Connector{o.connector, o.native} {
		if closer, ok := c.(io.Closer); ok {
			old = append(old, closer)
		}
	}
	if o.locks != nil {
		r.oldLocks = append(r.oldLocks, o.locks)
	}
	if len(r.oldLocks) > keepOpened {
		old = append(old, r.oldLocks[0])
		r.oldLocks = slices.Delete(r.oldLocks, 0, 1)
	}
	return old
}

func stateOf(name string) fileState {
	s := fileState{name: name}
	if info, err := os.Stat(name); err == nil {
		s.size, s.changed = info.Size(), info.ModTime()
	}
	return s
}

func (o *opened) changed() bool {
	return slices.ContainsFunc(o.files, func(f fileState) bool { return stateOf(f.name) != f })
}

// present returns the source for a connection that is made now.
func (r *renewal) present(ctx context.Context) (*opened, error) {
	var given *string
	if r.password != nil {
		password, err := r.ask(ctx)
		if err != nil {
			return nil, fmt.Errorf("the password cannot be had: %w", err)
		}
		given = &password
	}
	o, old, err := r.with(ctx, given)
	for _, c := range old {
		_ = c.Close() // its end is no news
	}
	return o, err
}

// ask calls password and waits no longer than ctx lives, whatever that does: those who wait for a connection have a deadline.
func (r *renewal) ask(ctx context.Context) (string, error) {
	var password string
	given := make(chan error, 1)
	go func() {
		given <- caught("WithPassword", r.password, func() (err error) {
			password, err = r.password(ctx)
			return err
		})
	}()
	select {
	case err := <-given:
		return password, err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// with returns the source that has the password given, if one is, and what is to be closed because of it.
func (r *renewal) with(ctx context.Context, given *string) (o *opened, old []io.Closer, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	same := given == nil || r.now.known && *given == r.now.password
	if r.open == nil || same && !r.now.changed() {
		return r.now, nil, nil
	}
	next := new(opened)
	for _, name := range r.now.names() { // before they are read: what is replaced meanwhile has changed
		next.files = append(next.files, stateOf(name))
	}
	if next.source, err = r.open(ctx, given); err != nil {
		if same { // a file is being replaced
			return r.now, nil, nil
		}
		return nil, nil, err
	}
	if given != nil {
		next.known, next.password = true, *given
	}
	return next, r.turnToLocked(next), nil
}

// took notes that the server has taken the password of o.
func (r *renewal) took(o *opened) {
	if r.password == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.taken == nil || o.nth > r.taken.nth {
		r.taken = o
	}
}

// use calls fn with the source of now. Where the server refuses its password, that may have been changed since it was given out, or not be changed at
// the server yet: it is asked for again, and the latest that was taken is tried.
func (r *renewal) use(ctx context.Context, fn func(*opened) error) error {
	o, err := r.present(ctx)
	if err != nil {
		return err
	}
	if err = fn(o); err == nil {
		r.took(o)
		return nil
	}
	if r.password == nil || !r.refuses(err) {
		return err
	}
	tried := []*opened{o}
	if again, failed := r.present(ctx); failed == nil && again != o {
		tried = append(tried, again)
		if err = fn(again); err == nil {
			r.took(again)
			return nil
		}
	}
	r.mu.Lock()
	taken := r.taken
	r.mu.Unlock()
	if taken != nil && !slices.Contains(tried, taken) && fn(taken) == nil {
		return nil
	}
	return err
}

// connectorOf returns where connections of o come from.
func (r *renewal) connectorOf(o *opened, native bool) driver.Connector {
	r.mu.Lock()
	defer r.mu.Unlock()
	is, makes := &o.connector, o.source.Connector
	if native { // each pool closes its own
		is = &o.native
		if n, ok := o.source.(NativeSource); ok {
			makes = n.NativeConnector
		}
	}
	if *is == nil {
		*is = makes(r.role)
	}
	return *is
}

// locksOf returns where the locks of o come from, nil if its database knows none.
func (r *renewal) locksOf(o *opened) (NamedLocks, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	by, ok := o.source.(NamedLocker)
	switch {
	case !ok:
		return nil, ErrNoLocks
	case r.closed:
		return nil, errors.New("the engine is closed")
	case o.locks == nil:
		o.locks = by.NamedLocks()
	}
	return o.locks, nil
}

// latest returns what is open, without asking anybody for a password.
func (r *renewal) latest() *opened {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

// connectors returns those that were used.
func (r *renewal) connectors(native bool) (list []driver.Connector) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, o := range r.all {
		c := o.connector
		if native {
			c = o.native
		}
		if c != nil {
			list = append(list, c)
		}
	}
	return list
}

// closeConnectors closes them: no connection will be made any more.
func (r *renewal) closeConnectors(native bool) error {
	var errs []error
	for _, c := range r.connectors(native) {
		if closer, ok := c.(io.Closer); ok {
			errs = append(errs, closer.Close())
		}
	}
	return errors.Join(errs...)
}

// closeLocks ends what locks share; all of them have been closed. It may be called again.
func (r *renewal) closeLocks() error {
	r.mu.Lock()
	r.closed = true
	list := r.oldLocks
	r.oldLocks = nil
	for _, o := range r.all {
		if o.locks != nil {
			list, o.locks = append(list, o.locks), nil
		}
	}
	r.mu.Unlock()
	var errs []error
	for _, l := range list {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}

// openWith returns how a URI is read again.
func openWith(d Driver, uri string) func(context.Context, *string) (Source, error) {
	return func(ctx context.Context, password *string) (Source, error) {
		text := uri
		if password != nil {
			var err error
			if text, err = uripassword.With(uri, *password); err != nil {
				return nil, err
			}
		}
		return d.Open(ctx, text)
	}
}
