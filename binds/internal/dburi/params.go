package dburi

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bindery-go/bindery/internal/nearest"
)

// Params are the parameters of a URI. A driver takes the ones it knows; [Params.Done] then
// reports what nobody took, and every value that could not be read.
type Params struct {
	names  []string // in the order of the URI
	unsafe []string // names that may be the rest of a password before them
	values map[string][]string
	known  []string        // of hints, some of them more than once; none where nothing is given
	taken  map[string]bool // of those given
	errs   []error
}

// ParseParams reads name=value&name=value. Only percent escapes are undone: "+" stands for itself, as
// in libpq, because a blank in its place would break passwords.
func ParseParams(query string) (*Params, error) {
	p := &Params{values: map[string][]string{}, taken: map[string]bool{}}
	for pair := range strings.SplitSeq(query, "&") {
		if pair == "" {
			continue
		}
		name, value, assigned := strings.Cut(pair, "=")
		name, errName := url.PathUnescape(name)
		value, errValue := url.PathUnescape(value)
		switch {
		case errName != nil, errValue != nil, strings.Contains(pair, ";"):
			return nil, errors.New("malformed URI: a bad percent escape or a semicolon in the parameters: " + escape)
		case !assigned:
			return nil, errNotAssigned
		}
		p.add(name, value)
	}
	return p, nil
}

func (p *Params) add(name, value string) {
	if _, ok := p.values[name]; !ok {
		if slices.ContainsFunc(p.names, isSecret) {
			p.unsafe = append(p.unsafe, name)
		}
		p.names = append(p.names, name)
	}
	p.values[name] = append(p.values[name], value)
}

// isSecret reports whether the parameter called name, perhaps misspelt, holds a password.
func isSecret(name string) bool {
	name = strings.ToLower(name)
	for _, part := range []string{"pass", "pwd", "secret", "token"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return nearest.Name(name, []string{"password", "passwd", "sslpassword"}) != ""
}

// Has reports whether the URI gives the parameter, and takes it.
func (p *Params) Has(name string) bool {
	p.take(name)
	return len(p.values[name]) > 0
}

// String takes a parameter that may be given once, def if it is not given.
func (p *Params) String(name, def string) string {
	if v, ok := p.one(name); ok {
		return v
	}
	return def
}

// one takes a parameter; ok says that it is given, and once.
func (p *Params) one(name string) (v string, ok bool) {
	p.take(name)
	switch vs := p.values[name]; len(vs) {
	case 0:
		return "", false
	case 1:
		return vs[0], true
	}
	p.Fail("parameter %q is given twice", name)
	return "", false
}

// Strings takes a parameter that may be given several times.
func (p *Params) Strings(name string) []string {
	p.take(name)
	return p.values[name]
}

// OneOf takes a parameter that has one of a few values; def is one of them or "".
func (p *Params) OneOf(name, def string, allowed ...string) string {
	v := p.String(name, def)
	if v != def && !slices.Contains(allowed, v) {
		p.Fail("parameter %q must be one of %s%s", name, strings.Join(allowed, ", "), nearest.Hint(v, allowed))
		return def
	}
	return v
}

// Bool takes a parameter that is 1, true, on or yes, or their opposites.
func (p *Params) Bool(name string, def bool) bool {
	s, ok := p.one(name)
	if !ok {
		return def
	}
	switch strings.ToLower(s) {
	case "1", "true", "on", "yes":
		return true
	case "0", "false", "off", "no":
		return false
	}
	p.Fail("parameter %q must be true or false", name)
	return def
}

// Int takes a whole number from lo to hi.
func (p *Params) Int(name string, def, lo, hi int) int {
	s, ok := p.one(name)
	if !ok {
		return def
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < lo || n > hi {
		p.Fail("parameter %q must be a whole number from %d to %d", name, lo, hi)
		return def
	}
	return n
}

// Duration takes a duration such as 500ms. A plain number counts in unit.
func (p *Params) Duration(name string, def, unit time.Duration) time.Duration {
	s, ok := p.one(name)
	if !ok {
		return def
	}
	if n, err := strconv.Atoi(s); err == nil && n >= 0 && time.Duration(n) <= math.MaxInt64/unit {
		return time.Duration(n) * unit
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		p.Fail("parameter %q must be a duration such as 500ms or 10s", name)
		return def
	}
	return d
}

// Fail notes an error for [Params.Done]. Give it names, never values: a value may be part of a
// password.
func (p *Params) Fail(format string, args ...any) {
	p.errs = append(p.errs, fmt.Errorf(format, args...))
}

// Refuse takes a parameter that the driver knows of and does not support. Giving it is an error
// that ends with the reason; hints never propose it.
func (p *Params) Refuse(name, reason string) {
	if len(p.values[name]) > 0 {
		p.taken[name] = true
		p.Fail("parameter %q is not supported: %s", name, reason)
	}
}

// Know adds names that a driver would take in another case, for the hints of [Params.Done].
func (p *Params) Know(names ...string) {
	if len(p.names) > 0 {
		p.known = append(p.known, names...)
	}
}

// Done returns every mistake in the parameters, joined: bad values, and names that were not taken.
func (p *Params) Done() error {
	errs := slices.Clone(p.errs)
	for _, n := range p.names {
		if !p.taken[n] {
			errs = append(errs, p.unknown(n))
		}
	}
	return errors.Join(errs...)
}

func (p *Params) unknown(name string) error {
	switch {
	case !isName(name):
		return errNotAssigned
	}
	hint := nearest.Hint(name, p.known)
	if slices.Contains(p.unsafe, name) {
		return errors.New("an unknown parameter stands after the password" + hint +
			": if it is part of the password, " + escape)
	}
	if hint == "" {
		hint = " (known: " + strings.Join(slices.Compact(slices.Sorted(slices.Values(p.known))), ", ") + ")"
	}
	return fmt.Errorf("unknown parameter %q%s", name, hint)
}

func (p *Params) take(name string) {
	p.Know(name)
	if len(p.values[name]) > 0 {
		p.taken[name] = true
	}
}

// Format writes a fixed text for every verb.
func (p *Params) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, withheld) }

var errNotAssigned = errors.New(`malformed URI: what follows "?" is not name=value: ` + escape)

// isName reports whether a name can be shown: one that holds anything else than a name's
// characters may be the rest of a password.
func isName(s string) bool {
	for _, r := range s {
		if r != '_' && r != '-' && r != '.' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') {
			return false
		}
	}
	return s != "" && len(s) <= 64
}
