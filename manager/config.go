package manager

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/internal/nearest"
	"github.com/bindery-go/bindery/models"
	"github.com/bindery-go/bindery/router"
	"github.com/uptrace/bun/dialect"

	"github.com/bindery-go/bindery/router/sqlkind"
)

// Config says which databases there are. [LoadConfig] makes one from a TOML file; a Config made in
// code is as good. It prints and marshals without its passwords and keys.
type Config struct {
	// Default is the key of the bind where models without a marker live. Empty means the first of
	// Binds.
	Default binds.Key
	// Binds are the databases, in the order of the file.
	Binds []BindConfig
}

// BindConfig is one database: a primary and its replicas.
type BindConfig struct {
	// Key names the bind. Only the bind of a lone uri has none.
	Key binds.Key
	// Writer is the primary's URI. Required.
	Writer binds.URI
	// Readers are the replicas. Without any the writer serves the reads; a SQLite file gets a
	// reader of its own.
	Readers []ReaderConfig
	// Policy picks a reader for each read: least_loaded, round_robin, random or weighted. Empty
	// means least_loaded. The option [WithPolicy] goes before it.
	Policy string
	// Fallback says who serves a read when no reader is up or fresh enough: "writer", which is also
	// the meaning of "", or "none", which makes it fail with router.ErrNoReader.
	Fallback string
	// FallbackLimit is how many reads a second the writer may serve for want of a reader, see [router.Config]. Zero means as many as there are.
	FallbackLimit int
	// WriterFunctions are globs of your own SQL functions that write or lock: "charge_*". A SELECT
	// that calls one goes to the writer.
	WriterFunctions []string
	// CursorKeys seal the cursors of models.FetchPage: the first seals, all of them open. At most 16. All processes that serve a client
	// need the same. Without any a cursor is good only in the process that made it.
	CursorKeys []models.CursorKey
	// SlowQuery has a line written to the log for each statement that takes so long or longer, see [router.Router.SlowHook]. Zero or less means none.
	SlowQuery time.Duration
	// Freshness says how fresh reads must be, and how often the servers are asked.
	Freshness router.Freshness
	// Pool bounds the connections of each engine. Zero fields take the defaults of [binds.Pool].
	Pool binds.Pool
	// Locks bounds the named locks of this process. Zero fields take the defaults of [LockLimits].
	Locks LockLimits
	// PasswordFile is a file with the password of every URI of the bind, which have a user and none: it is read for each new connection, so
	// that it may change while the program runs. Empty means that there is none. See [WithPassword], and [binds.WithPassword] for how to change one.
	PasswordFile string
	// Lazy opens the bind without asking whether its servers are there.
	Lazy bool

	warnings []string // of files with the bind's secrets
	keysFrom keySource
}

// ReaderConfig is one replica.
type ReaderConfig struct {
	// URI says where it is. Required.
	URI binds.URI
	// Weight is its share of the reads relative to other readers. Zero means 1. Only the policies
	// least_loaded and weighted know weights.
	Weight int
}

const (
	fallbackWriter = "writer"
	fallbackNone   = "none"
)

// maxCursorKeys bounds what a cursor that no key opens costs.
const maxCursorKeys = 16

// problem is a mistake in a configuration: at {"policy"} of its third bind.
type problem struct {
	bind int // its place in Config.Binds, -1 if it is no bind's
	path []string
	err  error
}

// problems returns every mistake that shows without a connection. Without drivers it reads no URI.
func (c *Config) problems(ctx context.Context, drivers *binds.Drivers) []problem {
	if len(c.Binds) == 0 {
		return []problem{{bind: -1, err: ErrNoBinds}}
	}
	var found []problem
	given := make(map[binds.Key]bool, len(c.Binds))
	for i, b := range c.Binds {
		if given[b.Key] {
			found = append(found, problem{i, nil, fmt.Errorf("the bind %q is given twice", b.Key.String())})
		}
		given[b.Key] = true
	}
	for i := range c.Binds {
		c.Binds[i].check(ctx, drivers, func(err error, path ...string) {
			if err != nil {
				found = append(found, problem{i, path, err})
			}
		})
	}
	if c.Default != "" && !given[c.Default] {
		found = append(found, problem{-1, []string{"default"},
			fmt.Errorf("unknown bind %q%s", c.Default, nearest.Hint(string(c.Default), c.keys()))})
	}
	return found
}

// keyOf returns the dotted key of what a problem is about.
func (c *Config) keyOf(p problem) string {
	path := p.path
	if p.bind >= 0 && c.Binds[p.bind].Key != "" {
		path = slices.Concat([]string{"binds", string(c.Binds[p.bind].Key)}, path)
	}
	return shownKey(path...)
}

// keys returns the binds' keys in their order.
func (c *Config) keys() []string {
	keys := make([]string, len(c.Binds))
	for i, b := range c.Binds {
		keys[i] = string(b.Key)
	}
	return keys
}

// check calls fail with what is wrong with a bind, and nil for what is not.
func (b *BindConfig) check(ctx context.Context, drivers *binds.Drivers, fail func(err error, path ...string)) {
	fail(validKey(b.Key))
	if b.Writer.IsZero() {
		fail(errors.New("a bind needs a writer: writer = \"postgres://…\""))
	} else {
		fail(checkURI(ctx, drivers, b.Writer), "writer")
	}
	for i, r := range b.Readers {
		n := strconv.Itoa(i)
		if r.URI.IsZero() {
			fail(errors.New("a reader needs a uri"), "readers", n)
		} else {
			fail(checkURI(ctx, drivers, r.URI), "readers", n, "uri")
		}
		switch {
		case r.Weight < 0:
			fail(errors.New("weight must be 1 or more"), "readers", n, "weight")
		case r.Weight > 0 && !router.UsesWeights(b.Policy):
			fail(fmt.Errorf("the policy %s knows no weights: use least_loaded or weighted", b.Policy), "readers", n, "weight")
		}
	}
	fail(b.checkPasswordFile(), "password_file")
	_, err := router.NewPolicy(b.Policy)
	fail(err, "policy")
	if b.Fallback != "" && b.Fallback != fallbackWriter && b.Fallback != fallbackNone {
		fail(fmt.Errorf("unknown fallback %q%s (have writer, none)", b.Fallback,
			nearest.Hint(b.Fallback, []string{fallbackWriter, fallbackNone})), "fallback")
	}
	switch {
	case b.FallbackLimit < 0:
		fail(errors.New("must be 1 or more: leave it out for no limit"), "fallback_limit")
	case b.FallbackLimit > 0 && b.Fallback == fallbackNone:
		fail(errors.New("does nothing with fallback = \"none\": no read goes to the writer"), "fallback_limit")
	}
	modes := []string{router.ProcessWrites, router.SessionWrites, router.NoWrites}
	if m := b.Freshness.ReadYourWrites; m != "" && !slices.Contains(modes, m) {
		fail(fmt.Errorf("unknown mode %q%s (have process, session, off)", m, nearest.Hint(m, modes)), "read_your_writes")
	}
	_, err = sqlkind.New(dialect.PG, b.WriterFunctions...)
	fail(err, "writer_functions")
	if len(b.CursorKeys) > maxCursorKeys {
		fail(fmt.Errorf("%d keys: at most %d. Take out those whose cursors may end", len(b.CursorKeys), maxCursorKeys), "cursor_keys")
	}
	if slices.ContainsFunc(b.CursorKeys, models.CursorKey.IsZero) {
		fail(errors.New("a zero models.CursorKey: make it with models.NewCursorKey"), "cursor_keys")
	} else if first, second, found := sameKeys(b.CursorKeys); found {
		fail(fmt.Errorf("keys %d and %d are the same: take one of them out", first+1, second+1), "cursor_keys")
	}
}

// validKey refuses what would make an engine's name or a metric's label ambiguous.
func validKey(k binds.Key) error {
	for i, r := range k {
		letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
		if !letter && (i == 0 || r != '_' && r != '-' && (r < '0' || r > '9')) {
			return fmt.Errorf("%q is no bind key: use letters, digits, _ and -, a letter first", shownKey(string(k)))
		}
	}
	return nil
}

// checkURI asks the driver whether it can read the URI.
func checkURI(ctx context.Context, drivers *binds.Drivers, uri binds.URI) error {
	if drivers == nil {
		return nil
	}
	err := drivers.Check(ctx, uri.Reveal())
	var open *binds.OpenError
	if errors.As(err, &open) {
		return open.Err
	}
	return err
}
