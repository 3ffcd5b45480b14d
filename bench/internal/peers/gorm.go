package peers

import (
	"context"
	"database/sql"
	"errors"

	"github.com/uptrace/bun/dialect"
	"gorm.io/driver/mysql"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/logger"
	"gorm.io/plugin/dbresolver"
)

// gormItem is an [Item] as a model of gorm.
type gormItem struct {
	ID      int64 `gorm:"primaryKey;autoIncrement:false"`
	Owner   int64
	Version int64
	Name    string
}

// TableName names the table.
func (gormItem) TableName() string { return "items" }

func openGorm(_ context.Context, c Cluster, o Options) (DB, error) {
	return newGorm(c, o)
}

func openGormResolver(_ context.Context, c Cluster, o Options) (DB, error) {
	policy, err := gormPolicy(o.Policy)
	if err != nil {
		return nil, err
	}
	g, err := newGorm(c, o)
	if err != nil {
		return nil, err
	}
	var replicas []gorm.Dialector
	for _, s := range c.Replicas {
		replicas = append(replicas, g.dialector(c.Dialect, o.open(s)))
	}
	if err := g.db.Use(dbresolver.Register(dbresolver.Config{Replicas: replicas, Policy: policy})); err != nil {
		return nil, errors.Join(err, g.Close())
	}
	return g, nil
}

func newGorm(c Cluster, o Options) (*gormDB, error) {
	if c.Dialect != dialect.PG && c.Dialect != dialect.MySQL {
		return nil, unknownDialect(c.Dialect)
	}
	g := new(gormDB)
	db, err := gorm.Open(g.dialector(c.Dialect, o.open(c.Primary)), &gorm.Config{
		SkipDefaultTransaction: true,
		Logger:                 logger.Discard,
	})
	if err != nil {
		return nil, errors.Join(err, g.Close())
	}
	g.db = db
	return g, nil
}

type gormDB struct {
	db    *gorm.DB
	pools []*sql.DB // which gorm closes none of
}

// dialector returns what gorm knows of the database behind pool, and keeps that for Close.
func (g *gormDB) dialector(name dialect.Name, pool *sql.DB) gorm.Dialector {
	g.pools = append(g.pools, pool)
	if name == dialect.MySQL {
		return mysql.New(mysql.Config{Conn: pool, SkipInitializeWithVersion: true})
	}
	return postgres.New(postgres.Config{Conn: pool})
}

func (g *gormDB) Get(ctx context.Context, id int64) (Item, error) {
	var m gormItem
	err := g.db.WithContext(ctx).Take(&m, id).Error
	return Item(m), gormError(err)
}

func (g *gormDB) GetForUpdate(ctx context.Context, id int64) (Item, error) {
	var m gormItem
	err := g.db.WithContext(ctx).Clauses(clause.Locking{Strength: "UPDATE"}).Take(&m, id).Error
	return Item(m), gormError(err)
}

func (g *gormDB) GetRaw(ctx context.Context, id int64) (Item, error) {
	var m gormItem
	res := g.db.WithContext(ctx).Raw(bunRaw, id).Scan(&m)
	if res.Error == nil && res.RowsAffected == 0 {
		return Item{}, sql.ErrNoRows
	}
	return Item(m), res.Error
}

func (g *gormDB) Insert(ctx context.Context, it Item) error {
	m := gormItem(it)
	return g.db.WithContext(ctx).Create(&m).Error
}

func (g *gormDB) Update(ctx context.Context, it Item) error {
	m := gormItem(it)
	return g.db.WithContext(ctx).Select("*").Updates(&m).Error
}

func (g *gormDB) InTx(ctx context.Context, fn func(context.Context, DB) error) error {
	return g.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		return fn(ctx, &gormTx{gormDB: gormDB{db: tx}})
	})
}

func (g *gormDB) Query(ctx context.Context, text string) error {
	var rows []map[string]any
	return g.db.WithContext(ctx).Raw(text).Scan(&rows).Error
}

func (g *gormDB) Exec(ctx context.Context, text string) error {
	return g.db.WithContext(ctx).Exec(text).Error
}

func (g *gormDB) Close() error { return closeAll(g.pools) }

// gormTx is the same in a transaction.
type gormTx struct{ gormDB }

// InTx is refused: see inTx.
func (*gormTx) InTx(context.Context, func(context.Context, DB) error) error { return errInTx }

// Close is refused: see inTx.
func (*gormTx) Close() error { return errInTx }

func gormError(err error) error {
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return sql.ErrNoRows
	}
	return err
}
