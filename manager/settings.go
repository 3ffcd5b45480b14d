package manager

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/internal/uripassword"
	"github.com/bindery-go/bindery/router"
)

// A Setting is one value of a configuration as it is in force, without secrets.
type Setting struct {
	// Bind is the bind that it belongs to.
	Bind binds.Key
	// Key is its dotted name within the bind: "pool.max_open", "readers.0.uri".
	Key string
	// Value is a string, an int, a bool or a list of strings. Durations are strings, as the file has them. Nil means that it is not set, or is a secret.
	Value any
	// Note says what cannot be seen from Value: what it means that there is none, that a password is left out. "" if there is nothing to say.
	Note string
	// Line is where the file has it, for the bind or in [defaults]; 0 for a default of the library.
	Line int
	// Variables are the environment variables that its text was made with: "${HOST}, ${PORT}".
	Variables string
}

// ReadSettings reads a file as [LoadConfig] does, and returns every setting of every bind, in the order of the file, with the defaults filled in and
// where each comes from. Of a URI it returns scheme, user, host, port, database and the parameters known to hold no secret; passwords and keys are in none. Pools
// are as configured: a driver may bound them further, see [binds.Engine.Pool]. Nothing is connected to.
func ReadSettings(path string) ([]Setting, error) {
	l, err := readConfig(path)
	if err != nil {
		return nil, err
	}
	if err := l.mistakes(context.Background(), binds.Default); err != nil {
		return nil, err
	}
	var list []Setting
	for i := range l.cfg.Binds {
		s := settingsOf{l: l, place: &l.places[i], bind: &l.cfg.Binds[i]}
		s.all()
		list = append(list, s.list...)
	}
	return list, nil
}

// settingsOf collects those of one bind.
type settingsOf struct {
	l     *loader
	place *places
	bind  *BindConfig
	list  []Setting
}

func (s *settingsOf) all() {
	b := s.bind
	s.uri(b.Writer, "writer")
	for i, r := range b.Readers {
		n := strconv.Itoa(i)
		s.uri(r.URI, "readers", n, "uri")
		if router.UsesWeights(b.Policy) {
			s.add(max(r.Weight, 1), "", "readers", n, "weight")
		}
	}
	if len(b.Readers) == 0 {
		s.add(nil, "none: the writer serves the reads; a SQLite file gets a reader of its own", "readers")
	}
	s.text(b.PasswordFile, "none", "password_file")
	s.text(orText(b.Policy, "least_loaded"), "", "policy")
	s.text(orText(b.Fallback, fallbackWriter), "", "fallback")
	if b.FallbackLimit > 0 {
		s.add(b.FallbackLimit, "", "fallback_limit")
	} else {
		s.add(nil, "no limit", "fallback_limit")
	}
	s.add(b.Lazy, "", "lazy")
	if b.SlowQuery > 0 {
		s.duration(b.SlowQuery, "slow_query")
	} else {
		s.add(nil, "off: no statement is logged as slow", "slow_query")
	}
	f := b.Freshness.WithDefaults()
	s.text(f.ReadYourWrites, "", "read_your_writes")
	s.duration(f.MaxLag, "max_lag")
	s.duration(f.MonitorInterval, "monitor_interval")
	s.duration(f.ProbeTimeout, "probe_timeout")
	if b.WriterFunctions != nil {
		s.add(b.WriterFunctions, "", "writer_functions")
	} else {
		s.add(nil, "none", "writer_functions")
	}
	s.cursorKeys()
	p := b.Pool.WithDefaults()
	s.add(p.MaxOpen, "", "pool", "max_open")
	s.add(p.MaxIdle, "", "pool", "max_idle")
	s.duration(p.MaxLifetime, "pool", "max_lifetime")
	s.duration(p.MaxIdleTime, "pool", "max_idle_time")
	s.duration(p.MaxWait, "pool", "max_wait")
	locks := b.Locks.WithDefaults()
	s.add(locks.MaxOpen, "", "locks", "max_open")
	s.add(locks.MaxWaiting, "", "locks", "max_waiting")
}

func (s *settingsOf) cursorKeys() {
	name, note := "cursor_keys", "none: a cursor is good in its own process alone"
	switch n := len(s.bind.CursorKeys); {
	case n > 0 && s.bind.keysFrom.file != "":
		name, note = "cursor_keys_file", ""
	case n > 0:
		note = fmt.Sprintf("%d, which are not shown", n)
	}
	if name == "cursor_keys_file" {
		s.add(s.bind.keysFrom.file, fmt.Sprintf("%d keys, which are not shown", len(s.bind.CursorKeys)), name)
		return
	}
	s.add(nil, note, name)
}

func orText(text, other string) string {
	if text == "" {
		return other
	}
	return text
}

// text adds a setting that means what none says where it is "".
func (s *settingsOf) text(value, none string, path ...string) {
	if value == "" {
		s.add(nil, none, path...)
		return
	}
	s.add(value, "", path...)
}

func (s *settingsOf) duration(d time.Duration, path ...string) {
	if d < 0 {
		s.add("off", "", path...)
		return
	}
	s.add(shortDuration(d), "", path...)
}

// shortDuration writes a duration as people do: "30m", not "30m0s".
func shortDuration(d time.Duration) string {
	switch {
	case d >= time.Hour && d%time.Hour == 0:
		return strconv.Itoa(int(d/time.Hour)) + "h"
	case d >= time.Minute && d%time.Minute == 0:
		return strconv.Itoa(int(d/time.Minute)) + "m"
	}
	return d.String()
}

func (s *settingsOf) uri(uri binds.URI, path ...string) {
	text := uri.Reveal()
	note := ""
	if uripassword.Carries(text) {
		note = "with a password, which is not shown"
	}
	s.add(shownURI(text), note, path...)
}

func (s *settingsOf) add(value any, note string, path ...string) {
	set := Setting{Bind: s.bind.Key, Key: shownKey(path...), Value: value, Note: note}
	for _, at := range s.candidates(path) {
		found, known := s.l.find(at)
		if known < len(at) {
			continue
		}
		set.Line = s.l.doc.lineOf(at)
		if v, ok := found.(fromVariables); ok {
			set.Variables = v.names
		}
		break
	}
	s.list = append(s.list, set)
}

// candidates are the places where a setting may stand, the one that counts first.
func (s *settingsOf) candidates(path []string) (list [][]string) {
	p := s.place
	if len(path) == 1 && path[0] == "writer" && p.writer != nil {
		return [][]string{p.writer}
	}
	if p.own != nil {
		at := append(append([]string(nil), p.bind...), path...)
		list = append(list, at)
		if len(path) == 3 && path[2] == "uri" { // readers = ["…"]
			list = append(list, at[:len(at)-1])
		}
	}
	list = append(list, append([]string{"defaults"}, path...))
	if path[0] == "lazy" {
		list = append(list, path)
	}
	return list
}
