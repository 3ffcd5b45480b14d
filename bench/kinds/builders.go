package kinds

import (
	"context"

	"github.com/uptrace/bun"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"xorm.io/xorm"
)

// item is a row of items, as a model of each library. Its key is the database's to give.
type item struct {
	bun.BaseModel `bun:"table:items,alias:item" gorm:"-" xorm:"-"`

	ID      int64  `bun:",pk,autoincrement" gorm:"primaryKey" xorm:"pk autoincr 'id'"`
	Owner   int64  `bun:"owner" xorm:"'owner'"`
	Version int64  `bun:"version" xorm:"'version'"`
	Name    string `bun:"name" xorm:"'name'"`
}

// TableName names the table for gorm and xorm.
func (item) TableName() string { return "items" }

// draft is a table that is not there.
type draft struct {
	bun.BaseModel `bun:"table:drafts" gorm:"-" xorm:"-"`

	ID int64 `bun:",pk" gorm:"primaryKey;autoIncrement:false" xorm:"pk 'id'"`
}

func (draft) TableName() string { return "drafts" }

// texts are what differs between the databases in statements that libraries build.
type texts struct {
	upsert  string
	share   string // the clause
	next    string // the next number of a sequence
	gone    string // a DELETE in a CTE, "" if there is none
	fetched string // an INSERT that returns its key
	// sharesAnywhere says that a replica runs reads with a shared lock, and locks its own copies of the rows.
	sharesAnywhere bool
	// conflict makes Bun's INSERT an upsert.
	conflict func(*bun.InsertQuery) *bun.InsertQuery
}

var postgresTexts = texts{
	upsert:  "INSERT INTO items (id, name) VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET name = 'x'",
	share:   "FOR SHARE",
	next:    "nextval('tickets')",
	gone:    "WITH gone AS (DELETE FROM items WHERE id = 9 RETURNING *) SELECT * FROM gone",
	fetched: "INSERT INTO items (name) VALUES ('x') RETURNING id",
	conflict: func(q *bun.InsertQuery) *bun.InsertQuery {
		return q.On("CONFLICT (id) DO UPDATE").Set("name = EXCLUDED.name")
	},
}

var mariadbTexts = texts{
	upsert:  "INSERT INTO items (id, name) VALUES (1, 'x') ON DUPLICATE KEY UPDATE name = 'x'",
	share:   "LOCK IN SHARE MODE",
	next:    "NEXTVAL(tickets)",
	fetched: "INSERT INTO items (name) VALUES ('x') RETURNING id",

	sharesAnywhere: true,
	conflict: func(q *bun.InsertQuery) *bun.InsertQuery {
		return q.On("DUPLICATE KEY UPDATE").Set("name = VALUES(name)")
	},
}

// builtFor are the statements that libraries build.
func builtFor(t texts) []statement {
	all := append(builtReads(), builtWrites(t)...)
	all = append(all, builtLocks(t)...)
	if t.gone != "" {
		all = append(all, builtDeleteInCTE(t))
	}
	return all
}

func builtReads() []statement {
	return []statement{
		{
			name: "SELECT by key", by: byBuilder, text: "SELECT * FROM items WHERE id = 1",
			build: builders{
				bun: func(ctx context.Context, db *bun.DB) error {
					return db.NewSelect().Model(new(item)).Where("id = 1").Scan(ctx)
				},
				gorm: func(db *gorm.DB) error { return db.Take(new(item), 1).Error },
				xorm: func(s *xorm.Session) error { return only(s.ID(1).Get(new(item))) },
			},
		},
		{
			name: "count", by: byBuilder, text: "SELECT count(*) FROM items",
			build: builders{
				bun:  func(ctx context.Context, db *bun.DB) error { return only(db.NewSelect().Model(new(item)).Count(ctx)) },
				gorm: func(db *gorm.DB) error { return db.Model(new(item)).Count(new(int64)).Error },
				xorm: func(s *xorm.Session) error { return only(s.Count(new(item))) },
			},
		},
		{
			name: "SELECT in a SELECT", by: byBuilder, text: "SELECT * FROM items WHERE id IN (SELECT owner FROM items)",
			build: builders{
				bun: func(ctx context.Context, db *bun.DB) error {
					owners := db.NewSelect().Model((*item)(nil)).Column("owner")
					return db.NewSelect().Model(new([]item)).Where("id IN (?)", owners).Scan(ctx)
				},
				gorm: func(db *gorm.DB) error {
					return db.Where("id IN (?)", db.Model(new(item)).Select("owner")).Find(new([]item)).Error
				},
				xorm: func(s *xorm.Session) error { return s.Where("id IN (SELECT owner FROM items)").Find(new([]item)) },
			},
		},
		{
			name: "CTE that reads", by: byBuilder, text: "WITH mine AS (SELECT * FROM items WHERE owner = 1) SELECT * FROM mine",
			build: builders{
				bun: func(ctx context.Context, db *bun.DB) error {
					mine := db.NewSelect().Model((*item)(nil)).Where("owner = 1")
					return db.NewSelect().With("mine", mine).Table("mine").Scan(ctx, new([]item))
				},
			},
		},
	}
}

func builtWrites(t texts) []statement {
	return []statement{
		{
			name: "INSERT, whose key comes back", primary: writes, by: byBuilder, text: t.fetched,
			build: builders{
				bun: func(ctx context.Context, db *bun.DB) error {
					return only(db.NewInsert().Model(&item{Name: "x"}).Exec(ctx))
				},
				gorm: func(db *gorm.DB) error { return db.Create(&item{Name: "x"}).Error },
				xorm: func(s *xorm.Session) error { return only(s.Insert(&item{Name: "x"})) },
			},
		},
		{
			name: "upsert", primary: writes, by: byBuilder, text: t.upsert,
			build: builders{
				bun: func(ctx context.Context, db *bun.DB) error {
					return only(t.conflict(db.NewInsert().Model(&item{ID: 1, Name: "x"})).Exec(ctx))
				},
				gorm: func(db *gorm.DB) error {
					return db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&item{ID: 1, Name: "x"}).Error
				},
				exec: true,
			},
		},
		{
			name: "UPDATE", primary: writes, by: byBuilder, text: "UPDATE items SET name = 'x' WHERE id = 1",
			build: builders{
				bun: func(ctx context.Context, db *bun.DB) error {
					return only(db.NewUpdate().Model(&item{ID: 1, Name: "x"}).Column("name").WherePK().Exec(ctx))
				},
				gorm: func(db *gorm.DB) error { return db.Model(&item{ID: 1}).Update("name", "x").Error },
				xorm: func(s *xorm.Session) error { return only(s.ID(1).Cols("name").Update(&item{Name: "x"})) },
				exec: true,
			},
		},
		{
			name: "DELETE", primary: writes, by: byBuilder, text: "DELETE FROM items WHERE id = 9",
			build: builders{
				bun: func(ctx context.Context, db *bun.DB) error {
					return only(db.NewDelete().Model(&item{ID: 9}).WherePK().Exec(ctx))
				},
				gorm: func(db *gorm.DB) error { return db.Delete(&item{ID: 9}).Error },
				xorm: func(s *xorm.Session) error { return only(s.ID(9).Delete(new(item))) },
				exec: true,
			},
		},
		{
			name: "CREATE TABLE", primary: writes, by: byBuilder, text: "CREATE TABLE drafts (id BIGINT)",
			build: builders{
				bun: func(ctx context.Context, db *bun.DB) error {
					return only(db.NewCreateTable().Model((*draft)(nil)).Exec(ctx))
				},
				gorm: func(db *gorm.DB) error { return db.Migrator().CreateTable(new(draft)) },
				xorm: func(s *xorm.Session) error { return s.CreateTable(new(draft)) },
				exec: true,
			},
		},
	}
}

func builtLocks(t texts) []statement {
	share := builders{
		bun: func(ctx context.Context, db *bun.DB) error {
			return db.NewSelect().Model(new(item)).For("SHARE").Scan(ctx)
		},
		gorm: func(db *gorm.DB) error { return db.Clauses(clause.Locking{Strength: "SHARE"}).Take(new(item)).Error },
	}
	if t.share != "FOR SHARE" {
		share = builders{} // they know no other words
	}
	return []statement{
		{
			name: "FOR UPDATE", primary: locks, by: byBuilder, text: "SELECT * FROM items WHERE id = 1 FOR UPDATE",
			build: builders{
				bun: func(ctx context.Context, db *bun.DB) error {
					return db.NewSelect().Model(new(item)).Where("id = 1").For("UPDATE").Scan(ctx)
				},
				gorm: func(db *gorm.DB) error {
					return db.Clauses(clause.Locking{Strength: "UPDATE"}).Take(new(item), 1).Error
				},
				xorm: func(s *xorm.Session) error { return only(s.ID(1).ForUpdate().Get(new(item))) },
			},
		},
		{
			name: "FOR UPDATE SKIP LOCKED", primary: locks, by: byBuilder, text: "SELECT * FROM items LIMIT 1 FOR UPDATE SKIP LOCKED",
			build: builders{
				bun: func(ctx context.Context, db *bun.DB) error {
					return db.NewSelect().Model(new(item)).Limit(1).For("UPDATE SKIP LOCKED").Scan(ctx)
				},
				gorm: func(db *gorm.DB) error {
					return db.Clauses(clause.Locking{Strength: "UPDATE", Options: "SKIP LOCKED"}).Take(new(item)).Error
				},
			},
		},
		{name: "shared lock", primary: locks, silent: t.sharesAnywhere, by: byBuilder, text: "SELECT * FROM items " + t.share, build: share},
		{
			name: "FOR UPDATE in a subquery", primary: locks, by: byBuilder,
			text: "SELECT * FROM items WHERE id IN (SELECT id FROM items WHERE owner = 1 FOR UPDATE)",
			build: builders{
				bun: func(ctx context.Context, db *bun.DB) error {
					next := db.NewSelect().Model((*item)(nil)).Column("id").Where("owner = 1").For("UPDATE")
					return db.NewSelect().Model(new([]item)).Where("id IN (?)", next).Scan(ctx)
				},
				gorm: func(db *gorm.DB) error {
					next := db.Model(new(item)).Select("id").Where("owner = 1").Clauses(clause.Locking{Strength: "UPDATE"})
					return db.Where("id IN (?)", next).Find(new([]item)).Error
				},
				xorm: func(s *xorm.Session) error {
					return s.Where("id IN (SELECT id FROM items WHERE owner = 1 FOR UPDATE)").Find(new([]item))
				},
			},
		},
		{
			name: "the next of a sequence as a column", primary: sequence, by: byBuilder, text: "SELECT " + t.next + " AS id",
			build: builders{
				bun: func(ctx context.Context, db *bun.DB) error {
					return db.NewSelect().ColumnExpr(t.next+" AS id").Scan(ctx, new(item))
				},
				gorm: func(db *gorm.DB) error { return db.Table("items").Select(t.next + " AS id").Take(new(item)).Error },
				xorm: func(s *xorm.Session) error { return only(s.Select(t.next + " AS id").Get(new(item))) },
			},
		},
	}
}

func builtDeleteInCTE(t texts) statement {
	return statement{
		name: "CTE that deletes", primary: writes, by: byBuilder, text: t.gone,
		build: builders{
			bun: func(ctx context.Context, db *bun.DB) error {
				gone := db.NewDelete().Model((*item)(nil)).Where("id = 9").Returning("*")
				return db.NewSelect().With("gone", gone).Table("gone").Scan(ctx, new([]item))
			},
		},
	}
}

// byOtherWays are statements in which it is of interest how they are run.
func byOtherWays(t texts) []statement {
	next := "SELECT " + t.next
	const read, lock = "SELECT * FROM items WHERE id = 1", "SELECT * FROM items WHERE id = 1 FOR UPDATE"
	return []statement{
		{name: "read in a transaction", primary: inTx, silent: true, by: byTx, text: read},
		{name: "plain read", by: byExec, text: read},
		{name: "plain read", by: byStandard, text: read},
		{name: "plain read", by: byPrepared, text: read},
		{name: "next of a sequence", primary: sequence, by: byStandard, text: next},
		{name: "next of a sequence", primary: sequence, by: byPrepared, text: next},
		{name: "INSERT", primary: writes, by: byPrepared, text: "INSERT INTO items (name) VALUES ('x')"},
		{name: "FOR UPDATE", primary: locks, by: byPrepared, text: lock},
		{name: "FOR UPDATE", primary: locks, by: byStandard, text: lock},
	}
}

// only returns the error of what returns something else, too.
func only[T any](_ T, err error) error { return err }
