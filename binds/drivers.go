package binds

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// Drivers maps URI schemes to drivers. Its zero value is empty and ready to use; it is safe for
// concurrent use. Most programs use the default one, which [Register] fills and [Open] asks.
type Drivers struct {
	mu       sync.RWMutex // guards byScheme
	byScheme map[string]Driver
}

// Default is the registry that importing a driver's package fills.
var Default = new(Drivers)

// Register makes d open the URIs of schemes in [Default]; it panics where [Drivers.Register] does.
func Register(d Driver, schemes ...string) { Default.Register(d, schemes...) }

// Open opens an engine with the drivers of [Default].
func Open(ctx context.Context, name, uri string, opts ...OpenOption) (*Engine, error) {
	return Default.Open(ctx, name, uri, opts...)
}

// Register makes d open the URIs of schemes, which are written in lower case.
// It panics if d is nil, or a scheme is malformed or taken: these are mistakes in the program.
func (ds *Drivers) Register(d Driver, schemes ...string) {
	if d == nil {
		panic("binds: Register of a nil driver")
	}
	ds.mu.Lock()
	defer ds.mu.Unlock()
	for _, s := range schemes {
		if !isScheme(s) || s != strings.ToLower(s) {
			panic(fmt.Sprintf("binds: Register of %q, which is no scheme in lower case", s))
		}
		if _, taken := ds.byScheme[s]; taken {
			panic(fmt.Sprintf("binds: Register called twice for scheme %q", s))
		}
		if ds.byScheme == nil {
			ds.byScheme = make(map[string]Driver)
		}
		ds.byScheme[s] = d
	}
}

// Schemes returns the registered schemes, sorted.
func (ds *Drivers) Schemes() []string {
	ds.mu.RLock()
	defer ds.mu.RUnlock()
	return slices.Sorted(maps.Keys(ds.byScheme))
}

// Open opens an engine called name, by the driver of the URI's scheme. It makes no connection: the
// engine connects on first use. Every error is an [*OpenError] and holds no part of the URI but
// its scheme. Close the engine when done.
func (ds *Drivers) Open(ctx context.Context, name, uri string, opts ...OpenOption) (*Engine, error) {
	d, src, err := ds.read(ctx, uri)
	if err != nil {
		return nil, &OpenError{Engine: name, Err: err}
	}
	return newEngine(name, d, src, openWith(d, uri), opts), nil
}

// Check returns the error that [Drivers.Open] would return for uri, and opens nothing.
func (ds *Drivers) Check(ctx context.Context, uri string) error {
	if _, _, err := ds.read(ctx, uri); err != nil {
		return &OpenError{Err: err}
	}
	return nil
}

// read has the driver of the URI's scheme read it.
func (ds *Drivers) read(ctx context.Context, uri string) (Driver, Source, error) {
	d, err := ds.driverOf(uri)
	if err != nil {
		return nil, nil, err
	}
	src, err := d.Open(ctx, uri)
	return d, src, err
}

func (ds *Drivers) driverOf(uri string) (Driver, error) {
	if uri == "" {
		return nil, errors.New("the URI is empty")
	}
	scheme, rest, ok := strings.Cut(uri, ":")
	scheme = strings.ToLower(scheme)
	ds.mu.RLock()
	d := ds.byScheme[scheme]
	ds.mu.RUnlock()
	if ok && d != nil {
		return d, nil
	}
	if err := foreign(uri); err != nil {
		return nil, err
	}
	if !ok || !isScheme(scheme) || packageOf(scheme) == "" && !strings.HasPrefix(rest, "//") {
		// What stands before the colon may be the user of a DSN in another form: do not repeat it.
		return nil, errNoScheme
	}
	return nil, &NoDriverError{Scheme: scheme, Known: ds.Schemes()}
}

// isScheme follows RFC 3986, section 3.1.
func isScheme(s string) bool {
	for i := range len(s) {
		c := s[i] | 0x20
		letter := 'a' <= c && c <= 'z'
		if !letter && (i == 0 || !strings.ContainsRune("0123456789+-.", rune(s[i]))) {
			return false
		}
	}
	return s != ""
}
