package peers

import (
	"context"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/dialect/mysqldialect"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/schema"

	"github.com/bindery-go/bindery/binds"
)

// Accounts marks the models of bindery's bind. To bare Bun it is an empty field.
type Accounts struct{}

// BindKey names the bind.
func (Accounts) BindKey() binds.Key { return "accounts" }

// bunItem is an [Item] as a model of Bun and of bindery.
type bunItem struct {
	bun.BaseModel `bun:"table:items,alias:item"`
	Accounts

	ID      int64 `bun:",pk"`
	Owner   int64
	Version int64
	Name    string
}

func (m *bunItem) item() Item { return Item{m.ID, m.Owner, m.Version, m.Name} }

func newBunItem(it Item) *bunItem {
	return &bunItem{ID: it.ID, Owner: it.Owner, Version: it.Version, Name: it.Name}
}

const bunRaw = "SELECT id, owner, version, name FROM items WHERE id = ?"

func openBun(_ context.Context, c Cluster, o Options) (DB, error) {
	return newBun(c, o)
}

func newBun(c Cluster, o Options, opts ...bun.DBOption) (DB, error) {
	d, err := bunDialect(c.Dialect)
	if err != nil {
		return nil, err
	}
	return &bunDB{bun.NewDB(o.open(c.Primary), d, opts...)}, nil
}

func bunDialect(name dialect.Name) (schema.Dialect, error) {
	switch name {
	case dialect.PG:
		return pgdialect.New(), nil
	case dialect.MySQL:
		return mysqldialect.New(), nil
	}
	return nil, unknownDialect(name)
}

// OnBun returns a DB that works by the builders of a Bun DB: of bindery's own, say. It closes that.
func OnBun(db *bun.DB) DB { return &bunDB{db} }

type bunDB struct{ db *bun.DB }

func (b *bunDB) Get(ctx context.Context, id int64) (Item, error) {
	m := new(bunItem)
	err := b.db.NewSelect().Model(m).Where("id = ?", id).Scan(ctx)
	return m.item(), err
}

func (b *bunDB) GetForUpdate(ctx context.Context, id int64) (Item, error) {
	m := new(bunItem)
	err := b.db.NewSelect().Model(m).Where("id = ?", id).For("UPDATE").Scan(ctx)
	return m.item(), err
}

func (b *bunDB) GetRaw(ctx context.Context, id int64) (Item, error) {
	m := new(bunItem)
	err := b.db.NewRaw(bunRaw, id).Scan(ctx, m)
	return m.item(), err
}

func (b *bunDB) Insert(ctx context.Context, it Item) error {
	_, err := b.db.NewInsert().Model(newBunItem(it)).Exec(ctx)
	return err
}

func (b *bunDB) Update(ctx context.Context, it Item) error {
	_, err := b.db.NewUpdate().Model(newBunItem(it)).WherePK().Exec(ctx)
	return err
}

func (b *bunDB) InTx(ctx context.Context, fn func(context.Context, DB) error) error {
	return b.db.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		return fn(ctx, &bunTx{tx: tx})
	})
}

func (b *bunDB) Query(ctx context.Context, text string) error {
	var rows []map[string]any
	return b.db.NewRaw(text).Scan(ctx, &rows)
}

func (b *bunDB) Exec(ctx context.Context, text string) error {
	_, err := b.db.NewRaw(text).Exec(ctx)
	return err
}

func (b *bunDB) Close() error { return b.db.Close() }

// bunTx is the same in a transaction of Bun's own.
type bunTx struct {
	inTx
	tx bun.Tx
}

func (b *bunTx) Get(ctx context.Context, id int64) (Item, error) {
	m := new(bunItem)
	err := b.tx.NewSelect().Model(m).Where("id = ?", id).Scan(ctx)
	return m.item(), err
}

func (b *bunTx) GetForUpdate(ctx context.Context, id int64) (Item, error) {
	m := new(bunItem)
	err := b.tx.NewSelect().Model(m).Where("id = ?", id).For("UPDATE").Scan(ctx)
	return m.item(), err
}

func (b *bunTx) GetRaw(ctx context.Context, id int64) (Item, error) {
	m := new(bunItem)
	err := b.tx.NewRaw(bunRaw, id).Scan(ctx, m)
	return m.item(), err
}

func (b *bunTx) Insert(ctx context.Context, it Item) error {
	_, err := b.tx.NewInsert().Model(newBunItem(it)).Exec(ctx)
	return err
}

func (b *bunTx) Update(ctx context.Context, it Item) error {
	_, err := b.tx.NewUpdate().Model(newBunItem(it)).WherePK().Exec(ctx)
	return err
}

func (b *bunTx) Query(ctx context.Context, text string) error {
	var rows []map[string]any
	return b.tx.NewRaw(text).Scan(ctx, &rows)
}

func (b *bunTx) Exec(ctx context.Context, text string) error {
	_, err := b.tx.NewRaw(text).Exec(ctx)
	return err
}
