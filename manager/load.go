package manager

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/internal/nearest"
)

// LoadConfig reads a TOML file; config.toml.example shows and explains every key.
//
// Every mistake is reported, all at once, each a [*ConfigError] with its line: keys that do not
// exist, values that cannot be, variables that are not set, URIs that no imported driver takes.
// The errors hold no part of a URI. Nothing is connected to.
func LoadConfig(path string) (*Config, error) {
	return loadConfig(context.Background(), path, binds.Default)
}

func loadConfig(ctx context.Context, path string, drivers *binds.Drivers) (*Config, error) {
	doc, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("manager: load config: %w", err)
	}
	root, line, err := parseTree(doc)
	if err != nil {
		return nil, &ConfigError{File: path, Line: line, Err: err}
	}
	l := &loader{file: path}
	l.expandAll(root, nil)
	cfg := l.config(root)
	for _, p := range cfg.problems(ctx, drivers) {
		l.problem(root, p)
	}
	if len(l.errs) > 0 {
		slices.SortStableFunc(l.errs, func(a, b *ConfigError) int { return a.Line - b.Line })
		return nil, joinConfig(l.errs)
	}
	return cfg, nil
}

func joinConfig(errs []*ConfigError) error {
	joined := make([]error, len(errs))
	for i, e := range errs {
		joined[i] = e
	}
	return errors.Join(joined...)
}

// loader turns a tree into a Config and collects what is wrong with it.
type loader struct {
	file string
	errs []*ConfigError
	bad  map[*node]bool // already reported
}

func (l *loader) fail(n *node, path []string, err error) {
	if l.bad == nil {
		l.bad = map[*node]bool{}
	}
	if l.bad[n] && n.kind != unstable.Table {
		return
	}
	l.bad[n] = true
	l.errs = append(l.errs, &ConfigError{File: l.file, Line: n.line, Key: strings.Join(path, "."), Err: err})
}

// problem reports a mistake found in the finished Config at the line where its value stands. The
// value may have come from [defaults], or, for a lone uri, from the top of the file.
func (l *loader) problem(root *node, p problem) {
	path := p.path
	if d := root.table["defaults"]; d != nil && len(path) > 0 {
		last := path[len(path)-1]
		inBind := len(path) == 3 && root.find(path[:2]).table[last] == nil
		if (len(path) == 1 || inBind) && d.table[last] != nil && root.table[last] == nil {
			path = []string{"defaults", last}
		}
	}
	if len(path) == 1 && path[0] == "writer" {
		path = []string{"uri"}
	}
	if len(path) == 3 && path[2] == "writer" && root.find(path[:2]).kind != unstable.Table {
		path = path[:2] // audit = "sqlite:…": the bind is its writer
	}
	l.fail(root.find(path), path, p.err)
}

// expandAll replaces the variables in every text of the tree.
func (l *loader) expandAll(n *node, path []string) {
	switch n.kind {
	case unstable.Table:
		for _, name := range n.names {
			l.expandAll(n.table[name], append(slices.Clone(path), name))
		}
	case unstable.Array:
		for i, item := range n.items {
			l.expandAll(item, append(slices.Clone(path), strconv.Itoa(i)))
		}
	case unstable.String:
		text, err := expand(n.text, os.LookupEnv)
		if err != nil {
			l.fail(n, path, err)
			return
		}
		n.text = text
	}
}

// section reads the keys of one table; keys that were not read are unknown.
type section struct {
	l     *loader
	n     *node
	path  []string
	known []string
}

func (l *loader) section(n *node, path ...string) *section { return &section{l: l, n: n, path: path} }

func (s *section) at(name string) []string { return append(slices.Clone(s.path), name) }

// get returns the value of a key if it has one of the kinds wanted.
func (s *section) get(name, want string, kinds ...unstable.Kind) *node {
	s.known = append(s.known, name)
	v := s.n.table[name]
	if v == nil || slices.Contains(kinds, v.kind) {
		return v
	}
	s.l.fail(v, s.at(name), fmt.Errorf("must be %s", want))
	return nil
}

func (s *section) str(name string) string {
	if v := s.get(name, "a string", unstable.String); v != nil {
		return v.text
	}
	return ""
}

// unreadable stands for a URI that was reported already: it is wrong, and not missing.
var unreadable = binds.NewURI("?")

func (s *section) uri(name string) binds.URI {
	v := s.get(name, "a string, a database's URI", unstable.String)
	switch {
	case v == nil && s.n.table[name] != nil:
		return unreadable
	case v == nil:
		return binds.URI{}
	case v.text == "":
		s.l.fail(v, s.at(name), errors.New("the URI is empty"))
		return unreadable
	}
	return binds.NewURI(v.text)
}

func (s *section) bool(name string, def bool) bool {
	if v := s.get(name, "true or false", unstable.Bool); v != nil {
		return v.text == "true"
	}
	return def
}

func (s *section) int(name string) int {
	v := s.get(name, "a whole number", unstable.Integer)
	if v == nil {
		return 0
	}
	n, err := strconv.ParseInt(strings.ReplaceAll(v.text, "_", ""), 0, 32)
	if err != nil {
		s.l.fail(v, s.at(name), errors.New("must be a whole number that fits 32 bits"))
	}
	return int(n)
}

// duration reads "30s"; "off" is negative, which means none.
func (s *section) duration(name string) time.Duration { return s.durationOr(name, true) }

func (s *section) durationOr(name string, off bool) time.Duration {
	want := `a duration such as "30s" or "5m"`
	if off {
		want += `, or "off"`
	}
	v := s.get(name, want, unstable.String)
	if v == nil {
		return 0
	}
	if off && v.text == "off" {
		return -1
	}
	d, err := time.ParseDuration(v.text)
	if err != nil || d <= 0 {
		s.l.fail(v, s.at(name), errors.New("must be "+want))
	}
	return d
}

func (s *section) strings(name string) []string {
	v := s.get(name, "a list of strings", unstable.Array)
	if v == nil {
		return nil
	}
	var list []string
	for i, item := range v.items {
		if item.kind != unstable.String {
			s.l.fail(item, append(s.at(name), strconv.Itoa(i)), errors.New("must be a string"))
			continue
		}
		list = append(list, item.text)
	}
	return list
}

// sub returns the section of a table, nil if the file has none.
func (s *section) sub(name string) *section {
	v := s.get(name, "a table", unstable.Table)
	if v == nil {
		return nil
	}
	return s.l.section(v, s.at(name)...)
}

// done reports the keys that were not read.
func (s *section) done() {
	for _, name := range s.n.names {
		if slices.Contains(s.known, name) {
			continue
		}
		hint := nearest.Hint(name, s.known)
		if hint == "" {
			hint = fmt.Sprintf(" (known: %s)", strings.Join(slices.Sorted(slices.Values(s.known)), ", "))
		}
		s.l.fail(s.n.table[name], s.at(name), errors.New("unknown key"+hint))
	}
}

func (l *loader) config(root *node) *Config {
	top := l.section(root)
	cfg := &Config{Default: binds.Key(top.str("default"))}
	var defaults BindConfig
	defaults.Lazy = top.bool("lazy", false)
	var password passwordFile
	if d := top.sub("defaults"); d != nil {
		password = d.options(&defaults, BindConfig{Lazy: defaults.Lazy})
		d.done()
	}
	list := top.sub("binds")
	if lone := top.uri("uri"); !lone.IsZero() {
		if list != nil || cfg.Default != "" {
			l.fail(root.table["uri"], []string{"uri"}, errors.New("a lone uri is the only bind: give it a key under [binds] to have others or a default"))
		}
		b := defaults
		b.Writer = lone
		l.giveTo(&b, password)
		cfg.Binds = append(cfg.Binds, b)
	}
	if list != nil {
		for _, key := range list.n.names {
			cfg.Binds = append(cfg.Binds, l.bind(list.n.table[key], key, defaults, password))
		}
	}
	top.done()
	return cfg
}

// bind reads one entry of [binds]: a table, or a lone URI that serves both roles.
func (l *loader) bind(n *node, key string, defaults BindConfig, password passwordFile) BindConfig {
	b := defaults
	b.Key = binds.Key(key)
	path := []string{"binds", key}
	switch n.kind {
	case unstable.String:
		b.Writer = binds.NewURI(n.text)
	case unstable.Table:
		s := l.section(n, path...)
		b.Writer = s.uri("writer")
		b.Readers = s.readers()
		if own := s.options(&b, defaults); own.name != "" {
			password = own
		}
		s.done()
	default:
		l.fail(n, path, errors.New("must be a URI, or a table with a writer"))
		b.Writer = unreadable
	}
	l.giveTo(&b, password)
	return b
}

// passwordFile is a file with a password, and where the configuration names it.
type passwordFile struct {
	name string
	node *node
	path []string
}

// options reads what both a bind and [defaults] can say, and returns the password file.
func (s *section) options(b *BindConfig, defaults BindConfig) passwordFile {
	if p := s.str("policy"); p != "" {
		b.Policy = p
	}
	if f := s.str("fallback"); f != "" {
		b.Fallback = f
	}
	if w := s.strings("writer_functions"); w != nil {
		b.WriterFunctions = w
	}
	if m := s.str("read_your_writes"); m != "" {
		b.Freshness.ReadYourWrites = m
	}
	for name, field := range map[string]*time.Duration{
		"max_lag":          &b.Freshness.MaxLag,
		"monitor_interval": &b.Freshness.MonitorInterval,
		"probe_timeout":    &b.Freshness.ProbeTimeout,
	} {
		if d := s.durationOr(name, name == "max_lag"); d != 0 {
			*field = d
		}
	}
	b.Lazy = s.bool("lazy", defaults.Lazy)
	if p := s.sub("pool"); p != nil {
		b.Pool = binds.Pool{
			MaxOpen: p.int("max_open"), MaxIdle: p.int("max_idle"),
			MaxLifetime: p.duration("max_lifetime"), MaxIdleTime: p.duration("max_idle_time"),
		}.Over(defaults.Pool)
		p.done()
	}
	return passwordFile{name: s.str("password_file"), node: s.n.table["password_file"], path: s.at("password_file")}
}

func (s *section) readers() []ReaderConfig {
	v := s.get("readers", "a list of URIs", unstable.Array)
	if v == nil {
		return nil
	}
	var readers []ReaderConfig
	for i, item := range v.items {
		path := append(s.at("readers"), strconv.Itoa(i))
		switch item.kind {
		case unstable.String:
			readers = append(readers, ReaderConfig{URI: binds.NewURI(item.text)})
		case unstable.Table:
			r := s.l.section(item, path...)
			readers = append(readers, ReaderConfig{URI: r.uri("uri"), Weight: r.weight()})
			r.done()
		default:
			s.l.fail(item, path, errors.New("must be a URI, or { uri = \"…\", weight = 2 }"))
		}
	}
	return readers
}

func (s *section) weight() int {
	n := s.int("weight")
	if v := s.n.table["weight"]; v != nil && v.kind == unstable.Integer && n < 1 {
		s.l.fail(v, s.at("weight"), errors.New("must be 1 or more"))
	}
	return n
}

// giveTo puts the password of a file into the bind's URIs. The file's name counts from the
// configuration's folder.
func (l *loader) giveTo(b *BindConfig, file passwordFile) {
	if file.name == "" {
		return
	}
	name := file.name
	if !filepath.IsAbs(name) {
		name = filepath.Join(filepath.Dir(l.file), name)
	}
	pw, err := readPassword(name)
	if err != nil {
		l.fail(file.node, file.path, err)
		return
	}
	uris := []*binds.URI{&b.Writer}
	for i := range b.Readers {
		uris = append(uris, &b.Readers[i].URI)
	}
	for _, u := range uris {
		if u.IsZero() {
			continue
		}
		text, err := withPassword(u.Reveal(), pw)
		if err != nil {
			l.fail(file.node, file.path, err)
			return
		}
		*u = binds.NewURI(text)
	}
}

// keysOf is for messages: the keys of a map, sorted.
func keysOf[V any](m map[binds.Key]V) []binds.Key {
	return slices.Sorted(maps.Keys(m))
}
