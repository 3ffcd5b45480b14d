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
// concurrent use, and fast where it can: callers wait for it, no longer than its context lives. An error of it fails the connection, a [*ConnectError]; it must
// not hold the password.
//
// Where the server refuses a password and the one before was another, that is tried, too: at the moment of a change it may still be the right
// one. So give out the new password first, and change it at the server then.
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
	before *opened   // with another password; nil: there was none
	all    []*opened // the latest, whose connections may live
	closed bool      // there are no locks any more

	cancels  CancelStats  // of those that were forgotten
	oldLocks []NamedLocks // likewise
}

// opened is what a URI is with one password. Its renewal guards it.
type opened struct {
	source   Source
	known    bool // password is what a WithPassword has given
	password string
	files    []fileState

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
	r.turnTo(&opened{source: src})
	return r
}

// turnTo has next connections come from o.
func (r *renewal) turnTo(o *opened) {
	if f, ok := o.source.(FileReader); ok {
		for _, name := range f.Files() {
			o.files = append(o.files, stateOf(name))
		}
	}
	r.now, r.all = o, append(r.all, o)
	if len(r.all) > keepOpened && r.all[0] != r.before {
		r.forget(r.all[0])
		r.all = slices.Delete(r.all, 0, 1)
	}
}

// keepOpened is how many sources of one engine are kept for the connections that they have made. A token of a cloud's lives for a quarter of an hour.
const keepOpened = 16

// forget closes the connectors of o: what they have made is old by now, and what is given up on it is not told to the server any more. Locks
// live as long as they are held.
func (r *renewal) forget(o *opened) {
	if c, ok := o.connector.(CancelCounter); ok {
		r.cancels.add(c.Cancels())
	}
	for _, c := range []driver.Connector{o.connector, o.native} {
		if closer, ok := c.(io.Closer); ok {
			_ = closer.Close() // its end is no news
		}
	}
	if o.locks != nil {
		r.oldLocks = append(r.oldLocks, o.locks)
	}
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
		password, err := r.password(ctx)
		if err != nil {
			return nil, fmt.Errorf("the password cannot be had: %w", err)
		}
		given = &password
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	same := given == nil || r.now.known && *given == r.now.password
	if r.open == nil || same && !r.now.changed() {
		return r.now, nil
	}
	src, err := r.open(ctx, given)
	if err != nil {
		if same { // a file is being replaced
			return r.now, nil
		}
		return nil, err
	}
	next := &opened{source: src}
	if given != nil {
		next.known, next.password = true, *given
	}
	if !same {
		r.before = r.now
	}
	r.turnTo(next)
	return next, nil
}

// former returns what to try where the server has refused the password of o, nil if there is nothing.
func (r *renewal) former(o *opened, err error) *opened {
	if r.password == nil || !r.refuses(err) {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if o != r.now || r.before == nil || !r.before.known {
		return nil
	}
	return r.before
}

// use calls fn with the source of now, and where the server refuses its password, with that of before.
func (r *renewal) use(ctx context.Context, fn func(*opened) error) error {
	o, err := r.present(ctx)
	if err != nil {
		return err
	}
	if err = fn(o); err == nil {
		return nil
	}
	if before := r.former(o, err); before != nil && fn(before) == nil {
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
