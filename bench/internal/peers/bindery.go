package peers

import (
	"context"
	"log/slog"

	"github.com/bindery-go/bindery/binds"
	_ "github.com/bindery-go/bindery/binds/mysqlbind" // mysql://, mariadb://
	_ "github.com/bindery-go/bindery/binds/pgbind"    // postgres://
	"github.com/bindery-go/bindery/manager"
)

// A Managed is the DB of bindery.
type Managed interface {
	DB
	Manager() *manager.DBManager
}

// openBindery opens a manager with one bind, called as [Accounts] says.
func openBindery(ctx context.Context, c Cluster, o Options) (DB, error) {
	bind := manager.BindConfig{
		Key: Accounts{}.BindKey(), Writer: binds.NewURI(c.Primary.URI), Policy: o.Policy, Pool: o.pool(),
	}
	bind.Freshness.ReadYourWrites = o.ReadYourWrites
	for _, s := range c.Replicas {
		bind.Readers = append(bind.Readers, manager.ReaderConfig{URI: binds.NewURI(s.URI)})
	}
	if o.Bind != nil {
		o.Bind(&bind)
	}
	opts := []manager.Option{manager.WithLogger(slog.New(slog.DiscardHandler))}
	if c.Drivers != nil {
		opts = append(opts, manager.WithDrivers(c.Drivers))
	}
	m, err := manager.New(ctx, &manager.Config{Binds: []manager.BindConfig{bind}}, opts...)
	if err != nil {
		return nil, err
	}
	return &binderyDB{m}, nil
}

type binderyDB struct{ m *manager.DBManager }

var _ Managed = (*binderyDB)(nil)

// Manager returns what the DB works by.
func (b *binderyDB) Manager() *manager.DBManager { return b.m }

func (b *binderyDB) Get(ctx context.Context, id int64) (Item, error) {
	m := new(bunItem)
	err := b.m.NewSelect(m).Where("id = ?", id).Scan(ctx)
	return m.item(), err
}

func (b *binderyDB) GetForUpdate(ctx context.Context, id int64) (Item, error) {
	m := new(bunItem)
	err := b.m.NewSelect(m).Where("id = ?", id).For("UPDATE").Scan(ctx)
	return m.item(), err
}

func (b *binderyDB) GetRaw(ctx context.Context, id int64) (Item, error) {
	m := new(bunItem)
	err := b.m.NewRaw(Accounts{}, bunRaw, id).Scan(ctx, m)
	return m.item(), err
}

func (b *binderyDB) Insert(ctx context.Context, it Item) error {
	_, err := b.m.NewInsert(newBunItem(it)).Exec(ctx)
	return err
}

func (b *binderyDB) Update(ctx context.Context, it Item) error {
	_, err := b.m.NewUpdate(newBunItem(it)).WherePK().Exec(ctx)
	return err
}

// InTx gives fn the same builders: the context carries the transaction.
func (b *binderyDB) InTx(ctx context.Context, fn func(context.Context, DB) error) error {
	return b.m.InTx(ctx, Accounts{}, func(ctx context.Context) error {
		return fn(ctx, b)
	})
}

func (b *binderyDB) Query(ctx context.Context, text string) error {
	var rows []map[string]any
	return b.m.NewRaw(Accounts{}, text).Scan(ctx, &rows)
}

func (b *binderyDB) Exec(ctx context.Context, text string) error {
	_, err := b.m.NewRaw(Accounts{}, text).Exec(ctx)
	return err
}

func (b *binderyDB) Close() error { return b.m.Close() }
