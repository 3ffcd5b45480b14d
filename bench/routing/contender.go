package routing

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/bindery-go/bindery/bench/internal/noop"
	"github.com/bindery-go/bindery/bench/internal/paired"
	"github.com/bindery-go/bindery/bench/internal/peers"
	"github.com/bindery-go/bindery/manager"
	"github.com/bindery-go/bindery/router"
)

const (
	bindery = "bindery"
	// byBind is bindery without the manager's part: the program has the bind at hand.
	byBind = "bindery, by the bind's own DB"
)

// A contender is a library at work.
type contender struct {
	name string
	bare string // the contender that it is compared with, "" for the bare forms themselves
	db   peers.DB
}

// contenders are all of them, a bare form before those that are compared with it.
type contenders struct {
	list []contender
	bind *manager.Bind // bindery's
}

func openAll(ctx context.Context, cluster *noop.Cluster) (*contenders, error) {
	c := new(contenders)
	for _, l := range peers.All() {
		db, err := l.Open(ctx, cluster.Peers(), peers.Options{})
		if err != nil {
			return nil, errors.Join(fmt.Errorf("open %s: %w", l.Name, err), c.close())
		}
		c.list = append(c.list, contender{l.Name, l.Bare, db})
		m, ok := db.(peers.Managed)
		if !ok {
			continue
		}
		if c.bind, err = m.Manager().Bind(peers.Accounts{}); err != nil {
			return nil, errors.Join(err, c.close())
		}
		c.list = append(c.list, contender{byBind, l.Bare, unowned{peers.OnBun(c.bind.DB())}})
	}
	return c, nil
}

// unowned is a DB that somebody else closes.
type unowned struct{ peers.DB }

func (unowned) Close() error { return nil }

func (c *contenders) close() error {
	var errs []error
	for _, one := range c.list {
		errs = append(errs, one.db.Close())
	}
	return errors.Join(errs...)
}

func (c *contenders) named(name string) contender {
	for _, one := range c.list {
		if one.name == name {
			return one
		}
	}
	panic(fmt.Sprintf("routing: no contender %q", name))
}

// settle has bindery write a row, and waits until replicas serve its reads again, as they do in a
// program that has written before. Sessions begin after that.
func (c *contenders) settle(ctx context.Context) error {
	if err := insert.do(ctx, c.named(bindery).db); err != nil {
		return err
	}
	return c.onReplica(ctx)
}

// settleTime is more than a monitor that is asked to look takes on any machine.
const settleTime = 10 * time.Second

// onReplica returns when a replica has served a read with the context, which may have a session.
func (c *contenders) onReplica(ctx context.Context) error {
	for deadline := time.Now().Add(settleTime); ; {
		asking, route := router.Explain(ctx)
		if err := get(asking, c.named(bindery).db); err != nil {
			return err
		}
		if at := route.String(); strings.Contains(at, "/reader-") {
			return nil
		} else if time.Now().After(deadline) {
			return fmt.Errorf("no replica serves reads: %s", at)
		}
	}
}

// families returns who measures an operation.
func (c *contenders) families(op operation, goroutines int) ([]paired.Family, error) {
	var families []paired.Family
	for _, one := range c.list {
		if op.binderyOnly && one.name != bindery && one.name != c.named(bindery).bare {
			continue
		}
		form, err := c.form(one, op, goroutines)
		if err != nil {
			return nil, err
		}
		if one.bare == "" {
			families = append(families, nil)
		}
		last := &families[len(families)-1]
		*last = append(*last, form)
	}
	return families, nil
}

func (c *contenders) form(one contender, op operation, goroutines int) (paired.Form, error) {
	ctx := context.Background()
	form := paired.Form{Name: one.name, Run: func(n int) error {
		return repeat(ctx, one.db, op, n)
	}}
	switch {
	case op.inTx:
		form.Run = func(n int) error {
			return one.db.InTx(ctx, func(ctx context.Context, tx peers.DB) error {
				return repeat(ctx, tx, op, n)
			})
		}
	case op.inSession && one.name == bindery:
		sessions, err := c.sessions(ctx, goroutines)
		if err != nil {
			return form, err
		}
		form.Run = func(n int) error {
			session := <-sessions
			defer func() { sessions <- session }()
			return repeat(session, one.db, op, n)
		}
	}
	return form, nil
}

// sessions returns as many contexts with sessions as there are goroutines. Each has written, and is
// with a replica since.
func (c *contenders) sessions(ctx context.Context, n int) (chan context.Context, error) {
	all := make(chan context.Context, n)
	for range n {
		session := router.NewSession(ctx)
		if err := insert.do(session, c.named(bindery).db); err != nil {
			return nil, err
		}
		if err := c.onReplica(session); err != nil {
			return nil, err
		}
		all <- session
	}
	return all, nil
}

func repeat(ctx context.Context, db peers.DB, op operation, n int) error {
	for range n {
		if err := op.do(ctx, db); err != nil {
			return err
		}
	}
	return nil
}

// bareOf returns the name of a library's form without replicas.
func bareOf(name string) string { return peers.Named(name).Bare }
