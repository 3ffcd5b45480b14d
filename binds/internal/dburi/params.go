package dburi

import (
	"errors"
	"fmt"
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
	values map[string][]string
	known  []string
	taken  map[string]bool
	errs   []error
}

// ParseParams reads name=value&name=value.
func ParseParams(query string) (*Params, error) {
	p := &Params{values: map[string][]string{}, taken: map[string]bool{}}
	for pair := range strings.SplitSeq(query, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name, errName := url.QueryUnescape(name)
		value, errValue := url.QueryUnescape(value)
		if errName != nil || errValue != nil || strings.Contains(pair, ";") {
			return nil, errors.New("malformed URI: a bad percent escape or a semicolon in the parameters")
		}
		if _, ok := p.values[name]; !ok {
			p.names = append(p.names, name)
		}
		p.values[name] = append(p.values[name], value)
	}
	return p, nil
}

// Has reports whether the URI gives the parameter, and takes it.
func (p *Params) Has(name string) bool {
	p.take(name)
	return len(p.values[name]) > 0
}

// String takes a parameter that may be given once, def if it is not given.
func (p *Params) String(name, def string) string {
	p.take(name)
	switch vs := p.values[name]; len(vs) {
	case 0:
		return def
	case 1:
		return vs[0]
	}
	p.Fail("parameter %q is given twice", name)
	return def
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
	switch strings.ToLower(p.String(name, strconv.FormatBool(def))) {
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
	n, err := strconv.Atoi(p.String(name, strconv.Itoa(def)))
	if err != nil || n != def && (n < lo || n > hi) {
		p.Fail("parameter %q must be a whole number from %d to %d", name, lo, hi)
		return def
	}
	return n
}

// Duration takes a duration such as 500ms. A plain number counts in unit.
func (p *Params) Duration(name string, def, unit time.Duration) time.Duration {
	s := p.String(name, def.String())
	if n, err := strconv.Atoi(s); err == nil && n >= 0 {
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

// Know adds names that a driver would take in another case, for the hints of [Params.Done].
func (p *Params) Know(names ...string) {
	for _, n := range names {
		if !slices.Contains(p.known, n) {
			p.known = append(p.known, n)
		}
	}
}

// Done returns every mistake in the parameters, joined: bad values, and names that were not taken.
func (p *Params) Done() error {
	errs := p.errs
	for _, n := range p.names {
		if !p.taken[n] {
			errs = append(errs, p.unknown(n))
		}
	}
	return errors.Join(errs...)
}

func (p *Params) unknown(name string) error {
	if !isName(name) {
		return errors.New(`malformed URI: what follows "?" is not name=value: ` + escape)
	}
	hint := nearest.Hint(name, p.known)
	if hint == "" {
		hint = " (known: " + strings.Join(slices.Sorted(slices.Values(p.known)), ", ") + ")"
	}
	return fmt.Errorf("unknown parameter %q%s", name, hint)
}

func (p *Params) take(name string) {
	p.Know(name)
	p.taken[name] = true
}

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
