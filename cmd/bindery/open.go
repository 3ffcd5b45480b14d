package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/manager"
)

// load reads the configuration. Its mistakes are wrong use.
func (a *app) load() (*manager.Config, error) {
	cfg, err := manager.LoadConfig(a.configPath())
	if err != nil {
		return nil, a.badConfig(err)
	}
	return cfg, nil
}

func (a *app) badConfig(err error) error {
	if errors.Is(err, fs.ErrNotExist) && !strings.Contains(err.Error(), "\n") {
		var mistake *manager.ConfigError
		if !errors.As(err, &mistake) {
			return usagef("%v: name the file with --config or $BINDERY_CONFIG", err)
		}
	}
	return &failure{exitUsage, err}
}

// open opens binds without asking whether their servers are there, so that a dead one keeps nobody from hearing of the others. With
// all the manager holds every bind, with which of them are meant told beside it.
func (a *app) open(ctx context.Context, all bool) (m *manager.DBManager, meant []*manager.Bind, err error) {
	cfg, err := a.load()
	if err != nil {
		return nil, nil, err
	}
	keys, err := a.meant(cfg)
	if err != nil {
		return nil, nil, err
	}
	isMeant := func(key binds.Key) bool { return slices.Contains(keys, key) }
	if !all {
		cfg.Binds = slices.DeleteFunc(cfg.Binds, func(b manager.BindConfig) bool { return !isMeant(b.Key) })
		if !slices.ContainsFunc(cfg.Binds, func(b manager.BindConfig) bool { return b.Key == cfg.Default }) {
			cfg.Default = ""
		}
	}
	for i := range cfg.Binds {
		cfg.Binds[i].Lazy = true
	}
	m, err = manager.New(ctx, cfg, manager.WithLogger(a.logger()))
	if err != nil {
		return nil, nil, &failure{exitUsage, err} // nothing was connected to
	}
	for _, b := range m.Binds() {
		if isMeant(b.Key()) {
			meant = append(meant, b)
		}
	}
	return m, meant, nil
}

// meant returns the keys of the flag --bind, those of all binds without it, in the order of the configuration.
func (a *app) meant(cfg *manager.Config) ([]binds.Key, error) {
	var known []string
	var keys []binds.Key
	for _, b := range cfg.Binds {
		known = append(known, b.Key.String())
		if len(a.binds) == 0 || slices.Contains(a.binds, b.Key.String()) {
			keys = append(keys, b.Key)
		}
	}
	for _, name := range a.binds {
		if !slices.Contains(known, name) {
			return nil, usagef("--bind: there is no bind %q in %s (have %s)", name, a.configPath(), strings.Join(known, ", "))
		}
	}
	return keys, nil
}

// bindKeys are the binds for the shell's completion, none if the configuration cannot be read.
func (a *app) bindKeys() (keys []string) {
	cfg, err := a.load()
	if err != nil {
		return nil
	}
	for _, b := range cfg.Binds {
		keys = append(keys, b.Key.String())
	}
	return keys
}

// closing closes a manager at a command's end.
func closing(m *manager.DBManager, err *error) {
	if closed := m.Close(); closed != nil && *err == nil {
		*err = fmt.Errorf("close: %w", closed)
	}
}
