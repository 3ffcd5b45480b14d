package manager

import "github.com/uptrace/bun"

// An IndexedModel is a model whose table has indexes beyond its primary key and unique columns.
// [DBManager.CreateTables] creates those that are missing, also on a table that is there already.
type IndexedModel interface {
	// Indexes declares the indexes. Each call of index starts one of that name on the model's table
	// by Bun's builder, to be completed and not run:
	//
	//	func (*User) Indexes(index func(name string) *bun.CreateIndexQuery) {
	//		index("users_email").Unique().Column("email")
	//		index("users_created").ColumnExpr("created_at DESC")
	//	}
	//
	// An index is known by its name: one that is there under its name is left as it is, whatever its
	// columns. On PostgreSQL and SQLite a name is taken by one table of a schema. Indexes is called
	// on a zero value.
	Indexes(index func(name string) *bun.CreateIndexQuery)
}

// namedIndex is one index of a model.
type namedIndex struct {
	name  string
	query *bun.CreateIndexQuery
}

// indexesOf returns the indexes that a model declares. The queries run on db.
func indexesOf(db *bun.DB, model any) []namedIndex {
	declares, ok := model.(IndexedModel)
	if !ok {
		return nil
	}
	var list []namedIndex
	declares.Indexes(func(name string) *bun.CreateIndexQuery {
		q := db.NewCreateIndex().Model(model).Index(name)
		list = append(list, namedIndex{name, q})
		return q
	})
	return list
}
