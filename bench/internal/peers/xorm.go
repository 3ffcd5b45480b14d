package peers

import (
	"context"
	"database/sql"
	"errors"

	"github.com/uptrace/bun/dialect"
	"xorm.io/xorm"
	"xorm.io/xorm/core"
	"xorm.io/xorm/log"
)

// xormItem is an [Item] as a model of xorm.
type xormItem struct {
	ID      int64  `xorm:"pk 'id'"`
	Owner   int64  `xorm:"'owner'"`
	Version int64  `xorm:"'version'"` // not the tag "version", which is an optimistic lock
	Name    string `xorm:"'name'"`
}

// TableName names the table.
func (xormItem) TableName() string { return "items" }

func openXorm(_ context.Context, c Cluster, o Options) (DB, error) {
	e, err := xormEngine(c.Dialect, o.open(c.Primary))
	if err != nil {
		return nil, err
	}
	return &xormDB{e, e.Close}, nil
}

func openXormGroup(_ context.Context, c Cluster, o Options) (DB, error) {
	policy, err := xormPolicy(o.Policy)
	if err != nil {
		return nil, err
	}
	primary, err := xormEngine(c.Dialect, o.open(c.Primary))
	if err != nil {
		return nil, err
	}
	var replicas []*xorm.Engine
	for _, s := range c.Replicas {
		e, err := xormEngine(c.Dialect, o.open(s))
		if err != nil {
			return nil, err
		}
		replicas = append(replicas, e)
	}
	group, err := xorm.NewEngineGroup(primary, replicas, policy...)
	if err != nil {
		return nil, err
	}
	return &xormDB{group, group.Close}, nil
}

// xormEngine returns an engine on a pool. Xorm wants the name of a driver and a data source that it
// reads the dialect and the database's name from; it connects by the pool.
func xormEngine(name dialect.Name, pool *sql.DB) (*xorm.Engine, error) {
	var driver, source string
	switch name {
	case dialect.PG:
		driver, source = "postgres", "postgres://pool/items"
	case dialect.MySQL:
		driver, source = "mysql", "tcp(pool)/items"
	default:
		return nil, unknownDialect(name)
	}
	e, err := xorm.NewEngineWithDB(driver, source, core.FromDB(pool))
	if err != nil {
		return nil, errors.Join(err, pool.Close())
	}
	e.SetLogger(log.DiscardLogger{})
	return e, nil
}

// xormSessions is an engine or a group of them.
type xormSessions interface {
	Context(context.Context) *xorm.Session
	NewSession() *xorm.Session
}

type xormDB struct {
	x     xormSessions
	close func() error
}

func (x *xormDB) Get(ctx context.Context, id int64) (Item, error) {
	return xormGet(x.x.Context(ctx).ID(id))
}

func (x *xormDB) GetForUpdate(ctx context.Context, id int64) (Item, error) {
	return xormGet(x.x.Context(ctx).ID(id).ForUpdate())
}

func (x *xormDB) GetRaw(ctx context.Context, id int64) (Item, error) {
	return xormGet(x.x.Context(ctx).SQL(bunRaw, id))
}

func (x *xormDB) Insert(ctx context.Context, it Item) error {
	return xormInsert(x.x.Context(ctx), it)
}

func (x *xormDB) Update(ctx context.Context, it Item) error {
	return xormUpdate(x.x.Context(ctx), it)
}

// InTx is what xorm's Transaction does, with a context.
func (x *xormDB) InTx(ctx context.Context, fn func(context.Context, DB) error) (err error) {
	s := x.x.NewSession().Context(ctx)
	defer func() { err = errors.Join(err, s.Close()) }() // which rolls back what is open
	if err := s.Begin(); err != nil {
		return err
	}
	if err := fn(ctx, &xormTx{s: s}); err != nil {
		return err
	}
	return s.Commit()
}

func (x *xormDB) Query(ctx context.Context, text string) error {
	_, err := x.x.Context(ctx).QueryInterface(text)
	return err
}

func (x *xormDB) Exec(ctx context.Context, text string) error {
	_, err := x.x.Context(ctx).Exec(text)
	return err
}

func (x *xormDB) Close() error { return x.close() }

// xormTx is the same in a transaction, which is a session.
type xormTx struct {
	inTx
	s *xorm.Session
}

func (x *xormTx) Get(ctx context.Context, id int64) (Item, error) {
	return xormGet(x.s.Context(ctx).ID(id))
}

func (x *xormTx) GetForUpdate(ctx context.Context, id int64) (Item, error) {
	return xormGet(x.s.Context(ctx).ID(id).ForUpdate())
}

func (x *xormTx) GetRaw(ctx context.Context, id int64) (Item, error) {
	return xormGet(x.s.Context(ctx).SQL(bunRaw, id))
}

func (x *xormTx) Insert(ctx context.Context, it Item) error {
	return xormInsert(x.s.Context(ctx), it)
}

func (x *xormTx) Update(ctx context.Context, it Item) error {
	return xormUpdate(x.s.Context(ctx), it)
}

func (x *xormTx) Query(ctx context.Context, text string) error {
	_, err := x.s.Context(ctx).QueryInterface(text)
	return err
}

func (x *xormTx) Exec(ctx context.Context, text string) error {
	_, err := x.s.Context(ctx).Exec(text)
	return err
}

func xormGet(s *xorm.Session) (Item, error) {
	var m xormItem
	ok, err := s.Get(&m)
	if err == nil && !ok {
		err = sql.ErrNoRows
	}
	return Item(m), err
}

func xormInsert(s *xorm.Session, it Item) error {
	m := xormItem(it)
	_, err := s.Insert(&m)
	return err
}

func xormUpdate(s *xorm.Session, it Item) error {
	m := xormItem(it)
	_, err := s.ID(it.ID).AllCols().Update(&m)
	return err
}
