package slow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/bindery-go/bindery/bench/internal/peers"
	"github.com/bindery-go/bindery/bench/internal/racing"
)

// A contender is a library with one of its policies.
type contender struct {
	library string
	policy  string // as it is opened with, "" for the default
	calls   string // how tables call the policy
}

func (c contender) String() string { return c.library + ", " + c.calls }

// held is what the bars are about.
var held = contender{"bindery", "least_loaded", "least_loaded (default)"}

// contenders are all, the held first. Under the race detector xorm stays out: a read that its context ends gives pgdriver the names of
// its columns back, which xorm still reads while the next query writes them. That is between these two.
var contenders = slices.DeleteFunc([]contender{
	held,
	{"bindery", "round_robin", "round_robin"},
	{"bindery", "random", "random"},
	{"bindery", "weighted", "weighted"},
	{"Bun + bunexp", "", "round robin (its only one)"},
	{"gorm + dbresolver", "random", "random (default)"},
	{"gorm + dbresolver", "round_robin", "strict round robin"},
	{"xorm EngineGroup", "round_robin", "round robin (default)"},
	{"xorm EngineGroup", "random", "random"},
	{"xorm EngineGroup", "least_conn", "least connections"},
	{"bxcodec/dbresolver", "", "round robin (default)"},
}, func(c contender) bool { return racing.On && c.library == "xorm EngineGroup" })

// An entrant is a contender at work.
type entrant struct {
	contender
	db peers.DB
}

// enter opens all contenders, and has each of them read once from every replica so that connections and
// what is known of the replicas are there.
func enter(ctx context.Context, s *servers) (all []*entrant, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, leave(all))
		}
	}()
	for _, c := range contenders {
		db, err := peers.Named(c.library).Open(ctx, s.real.Cluster, peers.Options{Policy: c.policy})
		if err != nil {
			return all, fmt.Errorf("%s: %w", c, err)
		}
		all = append(all, &entrant{c, db})
	}
	for _, e := range all {
		if err := e.warm(ctx, s); err != nil {
			return all, fmt.Errorf("%s: %w", e, err)
		}
	}
	return all, nil
}

// warm reads until every replica has answered. A policy may prefer some while they are idle: it is given
// no more than warmReads for that.
func (e *entrant) warm(ctx context.Context, s *servers) error {
	const warmReads = 200
	answered := map[int]bool{}
	for n := 0; n < warmReads && len(answered) < replicas; n++ {
		from, err := e.read(ctx, s, uint64(n))
		if err != nil {
			return err
		}
		if from >= 0 {
			answered[from] = true
		}
	}
	return nil
}

// read reads an item and returns which replica answered.
func (e *entrant) read(ctx context.Context, s *servers, random uint64) (from int, err error) {
	item, err := e.db.Get(ctx, int64(random%items)+1)
	if err != nil {
		return fromNobody, err
	}
	port, err := strconv.Atoi(item.Name)
	if err != nil {
		return fromNobody, fmt.Errorf("the item does not say who answered: %w", err)
	}
	return s.answered(port)
}

func leave(all []*entrant) error {
	var errs []error
	for _, e := range all {
		errs = append(errs, e.db.Close())
	}
	return errors.Join(errs...)
}
