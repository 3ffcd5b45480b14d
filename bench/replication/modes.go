package replication

import (
	"context"
	"errors"

	"github.com/bindery-go/bindery/bench/internal/peers"
	"github.com/bindery-go/bindery/router"
)

// A mode is one way to read under replication.
type mode struct {
	name  string
	open  func(ctx context.Context, c peers.Cluster) (store, error)
	begin func(context.Context) context.Context // begins a session
}

const (
	onPrimary   = "Bun, everything on the primary"
	noGuarantee = "Bun + bunexp, no guarantee"
	sticky      = "Bun, 2 s on the primary after a write"
	sessions    = "bindery, sessions"
	processWide = "bindery, no sessions (process)"
)

func noSession(ctx context.Context) context.Context { return ctx }

func modes(maxOpen int) []mode {
	library := func(name, readYourWrites string) func(context.Context, peers.Cluster) (store, error) {
		return func(ctx context.Context, c peers.Cluster) (store, error) {
			return peers.Named(name).Open(ctx, c, peers.Options{MaxOpen: maxOpen, ReadYourWrites: readYourWrites})
		}
	}
	return []mode{
		{onPrimary, library("Bun", ""), noSession},
		{noGuarantee, library("Bun + bunexp", ""), noSession},
		{sticky, func(_ context.Context, c peers.Cluster) (store, error) { return openSticky(c, maxOpen) }, newStuck},
		{sessions, library("bindery", router.SessionWrites), router.NewSession},
		{processWide, library("bindery", router.ProcessWrites), noSession},
	}
}

// An opened mode has its pools.
type opened struct {
	mode
	db store
}

func openModes(ctx context.Context, c peers.Cluster, maxOpen int) (_ []opened, err error) {
	var all []opened
	for _, m := range modes(maxOpen) {
		db, err := m.open(ctx, c)
		if err != nil {
			return nil, errors.Join(err, closeModes(all))
		}
		all = append(all, opened{m, db})
	}
	return all, nil
}

func closeModes(all []opened) error {
	var errs []error
	for _, m := range all {
		errs = append(errs, m.db.Close())
	}
	return errors.Join(errs...)
}
