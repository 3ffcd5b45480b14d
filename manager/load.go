package manager

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/internal/exposed"
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
	l, err := readConfig(path)
	if err != nil {
		return nil, err
	}
	if err := l.mistakes(ctx, drivers); err != nil {
		return nil, err
	}
	return l.cfg, nil
}

// readConfig reads a file. The error is of the file as a whole; what is wrong in it is told by mistakes.
func readConfig(path string) (*loader, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("manager: load config: %w", err)
	}
	doc, err := parseDocument(string(text))
	var syntax *syntaxError
	if errors.As(err, &syntax) {
		return nil, &ConfigError{File: path, Line: syntax.line, Key: shownKey(syntax.key), Err: syntax.err}
	}
	l := &loader{file: path, doc: doc, root: doc.table(), sum: sha256.Sum256(text)}
	l.expandAll(l.root, make([]string, 0, 8))
	l.cfg = l.config()
	return l, nil
}

// mistakes returns all that is wrong in the file, URIs included where drivers are given.
func (l *loader) mistakes(ctx context.Context, drivers *binds.Drivers) error {
	all := *l
	all.errs, all.failed = slices.Clone(l.errs), maps.Clone(l.failed)
	for _, p := range l.cfg.problems(ctx, drivers) {
		all.fail(l.placeOf(p), p.err)
	}
	slices.SortFunc(all.errs, func(a, b *ConfigError) int {
		return cmp.Or(a.Line-b.Line, strings.Compare(a.Error(), b.Error()))
	})
	return joinConfig(all.errs)
}

func joinConfig(errs []*ConfigError) error {
	joined := make([]error, len(errs))
	for i, e := range errs {
		joined[i] = e
	}
	return errors.Join(joined...)
}

// loader turns a document into a Config and collects what is wrong with it.
type loader struct {
	file   string
	sum    [sha256.Size]byte // of what it holds
	doc    *document
	root   map[string]any
	cfg    *Config
	places []places // of the values of each bind
	errs   []*ConfigError
	failed map[string]bool // the values that were reported already
	secret bool            // the bind at hand has a password in the file itself
}

// fail reports a mistake at path. A value is reported once: what follows from a mistake is none. In a table
// several things may be wrong.
func (l *loader) fail(path []string, err error) {
	value, known := l.find(path)
	if _, ok := value.(map[string]any); !ok {
		at := strings.Join(path[:known], "\x00")
		if l.failed[at] {
			return
		}
		if l.failed == nil {
			l.failed = map[string]bool{}
		}
		l.failed[at] = true
	}
	if text, ok := textOf(value); ok && holdsAddress(text) && strings.Contains(err.Error(), text) {
		err = errors.New("must not be an address") // it may hold a password
	}
	l.errs = append(l.errs, &ConfigError{File: l.file, Line: l.doc.lineOf(path), Key: shownKey(path...), Err: err})
}

// holdsAddress tells whether a text that should be a name may be the address of a database.
func holdsAddress(text string) bool { return strings.ContainsAny(text, "@:=") }

// shownKey returns a dotted key for messages. What can be an address stands in for a forgotten key, and may
// hold a password.
func shownKey(names ...string) string {
	shown := slices.Clone(names)
	for i, name := range names {
		if holdsAddress(name) {
			shown[i] = "…"
		}
	}
	return strings.Join(shown, ".")
}

// find returns the value at path or the last one on the way to it, and how many names led there.
func (l *loader) find(path []string) (value any, known int) {
	value = l.root
	for i, name := range path {
		var below any
		if table, ok := value.(map[string]any); ok {
			below = table[name]
		} else if items, ok := listOf(value); ok {
			if n, err := strconv.Atoi(name); err == nil && n < len(items) {
				below = items[n]
			}
		}
		if below == nil {
			return value, i
		}
		value = below
	}
	return value, len(path)
}

// places says where the values of a bind stand in the file.
type places struct {
	bind     []string       // its table, or its lone URI
	writer   []string       // its writer's URI
	own      map[string]any // what its table holds
	defaults map[string]any // what [defaults] holds
}

func (p *places) of(path []string) []string {
	if len(path) == 0 {
		return p.bind
	}
	switch _, own := p.own[path[0]]; {
	case path[0] == "writer" && p.writer != nil:
		return p.writer
	case !own && p.defaults[path[0]] != nil:
		return append([]string{"defaults"}, path...)
	}
	return slices.Concat(p.bind, path)
}

// placeOf returns where the value stands that a mistake in the finished Config is about.
func (l *loader) placeOf(p problem) []string {
	if p.bind < 0 {
		return p.path
	}
	return l.places[p.bind].of(p.path)
}

// expandAll replaces the variables in every text below a value.
func (l *loader) expandAll(value any, path []string) {
	switch value := value.(type) {
	case map[string]any:
		for name, below := range value {
			if text, ok := below.(string); ok {
				if strings.Contains(text, "$") {
					value[name] = l.expand(text, append(path, name))
				}
				continue
			}
			l.expandAll(below, append(path, name))
		}
	case []any:
		for i, item := range value {
			below := append(path, strconv.Itoa(i))
			if text, ok := item.(string); ok {
				value[i] = l.expand(text, below)
				continue
			}
			l.expandAll(item, below)
		}
	case []map[string]any:
		for i, item := range value {
			l.expandAll(item, append(path, strconv.Itoa(i)))
		}
	}
}

// expand returns a text without variables, or fromVariables.
func (l *loader) expand(text string, path []string) any {
	var names []string
	expanded, err := expand(text, func(name string) (string, bool) {
		names = append(names, name)
		return os.LookupEnv(name)
	})
	switch {
	case err != nil:
		l.fail(path, err)
		return text
	case names == nil:
		return expanded
	}
	return fromVariables{expanded, "${" + strings.Join(names, "}, ${") + "}"}
}

func (l *loader) config() *Config {
	top := l.section(l.root)
	cfg := &Config{Default: binds.Key(top.str("default"))}
	var defaults BindConfig
	defaults.Lazy = top.bool("lazy", false)
	shared := &section{}
	var password passwordFile
	if d := top.sub("defaults"); d != nil {
		shared = d
		password = d.options(&defaults, BindConfig{Lazy: defaults.Lazy})
		d.done()
	}
	list := top.sub("binds")
	if lone := top.uri("uri"); !lone.IsZero() {
		if list != nil || cfg.Default != "" {
			top.fail("uri", "a lone uri is the only bind: give it a key under [binds] to have others or a default")
		}
		b := defaults
		b.Writer = lone
		l.giveTo(&b, password)
		l.warnOfFiles(&b)
		cfg.Binds = append(cfg.Binds, b)
		l.places = append(l.places, places{writer: top.at("uri"), own: l.root, defaults: shared.table})
	}
	if list != nil {
		keys := l.doc.names("binds")
		cfg.Binds, l.places = slices.Grow(cfg.Binds, len(keys)), slices.Grow(l.places, len(keys))
		for _, key := range keys {
			b, at := l.bind(list, key, defaults, password)
			at.defaults = shared.table
			cfg.Binds = append(cfg.Binds, b)
			l.places = append(l.places, at)
		}
	}
	top.done()
	return cfg
}

// bind reads one entry of [binds]: a table, or a lone URI that serves both roles.
func (l *loader) bind(list *section, key string, defaults BindConfig, password passwordFile) (BindConfig, places) {
	b := defaults
	b.Key = binds.Key(key)
	at := places{bind: list.at(key)}
	switch v := list.table[key].(type) {
	case string, fromVariables:
		at.writer = at.bind
		b.Writer = l.uri(v, at.bind, "")
	case map[string]any:
		at.own = v
		s := l.section(v, at.bind...)
		b.Writer = s.uri("writer")
		if uri := s.uri("uri"); !uri.IsZero() {
			if b.Writer.IsZero() {
				b.Writer, at.writer = uri, s.at("uri")
			} else {
				s.fail("uri", fmt.Sprintf("uri means writer, which is given in line %d: keep one of them", l.doc.lineOf(s.at("writer"))))
			}
		}
		b.Readers = s.readers()
		if own := s.options(&b, defaults); own.name != "" {
			password = own
		}
		s.done()
	default:
		l.fail(at.bind, errors.New("must be a URI, or a table with a writer"))
		b.Writer = unreadable
	}
	l.giveTo(&b, password)
	l.warnOfFiles(&b)
	return b, at
}

// passwordFile is a file with a password, and where the configuration names it.
type passwordFile struct {
	name string
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
	if n := s.int("fallback_limit"); n != 0 {
		b.FallbackLimit = n
	} else if s.table["fallback_limit"] == int64(0) {
		s.fail("fallback_limit", "must be 1 or more: leave it out for no limit")
	}
	if w := s.strings("writer_functions"); w != nil {
		b.WriterFunctions = w
	}
	if keys, from := s.cursorKeys(); keys != nil {
		b.CursorKeys, b.keysFrom = keys, from
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
	if d := s.durationOr("slow_query", true); d != 0 {
		b.SlowQuery = d
	}
	b.Lazy = s.bool("lazy", defaults.Lazy)
	if p := s.sub("pool"); p != nil {
		b.Pool = binds.Pool{
			MaxOpen: p.int("max_open"), MaxIdle: p.int("max_idle"),
			MaxLifetime: p.duration("max_lifetime"), MaxIdleTime: p.duration("max_idle_time"),
			MaxWait: p.duration("max_wait"),
		}.Over(defaults.Pool)
		p.done()
	}
	if p := s.sub("locks"); p != nil {
		b.Locks = LockLimits{MaxOpen: p.int("max_open"), MaxWaiting: p.int("max_waiting")}.over(defaults.Locks)
		p.done()
	}
	s.noEmptyFile("password_file")
	return passwordFile{name: s.str("password_file"), path: s.at("password_file")}
}

func (s *section) readers() []ReaderConfig {
	v := s.get("readers")
	if v == nil {
		return nil
	}
	items, ok := listOf(v)
	if !ok {
		s.fail("readers", "must be a list of URIs")
	}
	readers := make([]ReaderConfig, 0, len(items))
	for i, item := range items {
		at := append(s.at("readers"), strconv.Itoa(i))
		switch item := item.(type) {
		case string, fromVariables:
			readers = append(readers, ReaderConfig{URI: s.l.uri(item, at, "")})
		case map[string]any:
			r := s.l.section(item, at...)
			readers = append(readers, ReaderConfig{URI: r.uri("uri"), Weight: r.weight()})
			r.done()
		default:
			readers = append(readers, ReaderConfig{URI: unreadable})
			s.l.fail(at, errors.New("must be a URI, or { uri = \"…\", weight = 2 }"))
		}
	}
	return readers
}

func (s *section) weight() int {
	n := s.int("weight")
	if s.table["weight"] != nil && n < 1 {
		s.fail("weight", "must be 1 or more")
	}
	return n
}

// giveTo has the bind's passwords come from a file. The file's name counts from the configuration's folder.
func (l *loader) giveTo(b *BindConfig, file passwordFile) {
	if file.name == "" {
		return
	}
	name := file.name
	if !filepath.IsAbs(name) {
		name = filepath.Join(filepath.Dir(l.file), name)
	}
	b.PasswordFile = name
	if err := b.checkPasswordFile(); err != nil {
		l.fail(file.path, err)
		b.PasswordFile = ""
		return
	}
	if exposed.File(name) {
		b.warnings = append(b.warnings, "others than its owner can read password_file: "+exposed.Cure)
	}
}

// warnOfFiles tells of a bind's secrets in files that others can read.
func (l *loader) warnOfFiles(b *BindConfig) {
	if l.secret && exposed.File(l.file) {
		b.warnings = append(b.warnings, "a password stands in the configuration, which others than its owner can read: "+exposed.Cure+
			", or give the password by ${VARIABLE} or password_file")
	}
	l.secret = false
	if b.keysFrom.written && exposed.File(l.file) {
		b.warnings = append(b.warnings, "cursor_keys stand in the configuration, which others than its owner can read: "+exposed.Cure+
			", or give them by ${VARIABLE} or cursor_keys_file")
	}
	if f := b.keysFrom.file; f != "" && exposed.File(f) {
		b.warnings = append(b.warnings, "others than its owner can read cursor_keys_file: "+exposed.Cure)
	}
}

// keysOf is for messages: the keys of a map, sorted.
func keysOf[V any](m map[binds.Key]V) []binds.Key {
	return slices.Sorted(maps.Keys(m))
}
