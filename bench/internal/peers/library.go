package peers

import (
	"context"
	"errors"
	"fmt"
)

// A Library is one that is compared.
type Library struct {
	// Name is how tables call it.
	Name string
	// Bare is the name of the library's own form without replicas, "" for those forms themselves.
	Bare string
	// Open connects to a cluster; a form without replicas uses the primary alone.
	Open func(ctx context.Context, c Cluster, o Options) (DB, error)
}

// An Item is a row of the table "items": id (the key, given by whoever inserts), owner, version, name.
type Item struct {
	ID      int64
	Owner   int64
	Version int64
	Name    string
}

// A DB is one library at work. It is safe for concurrent use, but for what InTx gives its function.
// No row is [database/sql.ErrNoRows].
type DB interface {
	// Get reads an item by its key, by the library's builder if it has one.
	Get(ctx context.Context, id int64) (Item, error)
	// GetForUpdate does the same with FOR UPDATE.
	GetForUpdate(ctx context.Context, id int64) (Item, error)
	// GetRaw does the same from a text with an argument.
	GetRaw(ctx context.Context, id int64) (Item, error)
	// Insert adds an item.
	Insert(ctx context.Context, it Item) error
	// Update writes all columns of the item with that key.
	Update(ctx context.Context, it Item) error
	// InTx runs fn in a transaction, and commits if it returns nil. What fn does by tx, with the
	// context that it is given, is part of it.
	InTx(ctx context.Context, fn func(ctx context.Context, tx DB) error) error
	// Query runs a text in the library's way for texts that return rows, and reads them all.
	Query(ctx context.Context, text string) error
	// Exec runs a text in the library's way for texts that return none.
	Exec(ctx context.Context, text string) error
	// Close closes all pools.
	Close() error
}

// All returns the libraries, each behind its bare form.
func All() []Library {
	return []Library{
		{Name: "Bun", Open: openBun},
		{Name: "bindery", Bare: "Bun", Open: openBindery},
		{Name: "Bun + bunexp", Bare: "Bun", Open: openBunexp},
		{Name: "gorm", Open: openGorm},
		{Name: "gorm + dbresolver", Bare: "gorm", Open: openGormResolver},
		{Name: "xorm", Open: openXorm},
		{Name: "xorm EngineGroup", Bare: "xorm", Open: openXormGroup},
		{Name: "database/sql", Open: openSQL},
		{Name: "bxcodec/dbresolver", Bare: "database/sql", Open: openBxcodec},
	}
}

// Named returns the library of that name. It panics if there is none.
func Named(name string) Library {
	for _, l := range All() {
		if l.Name == name {
			return l
		}
	}
	panic(fmt.Sprintf("peers: no library %q", name))
}

// inTx is what every library's transaction cannot do.
type inTx struct{}

var errInTx = errors.New("peers: a transaction has no transaction in it and is not closed")

func (inTx) InTx(context.Context, func(context.Context, DB) error) error { return errInTx }
func (inTx) Close() error                                                { return errInTx }
