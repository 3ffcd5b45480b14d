package binds_test

import (
	"context"
	"fmt"

	"github.com/bindery-go/bindery/binds"
	_ "github.com/bindery-go/bindery/binds/sqlitebind"
)

func ExampleEngine_ListLocks() {
	ctx := context.Background()
	engine, err := binds.Open(ctx, "shop/writer", "sqlite::memory:")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = engine.Close() }()
	lock, err := engine.NamedLock(ctx, "monthly report") // as DBManager.Lock does
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = lock.Close() }()
	if _, err := lock.Acquire(ctx, 0); err != nil {
		fmt.Println(err)
		return
	}
	list, err := engine.ListLocks(ctx, "monthly report") // the name matters where the server knows a hash of it
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, l := range list.Locks {
		fmt.Println(l.Name, l.Holder != "", len(l.Waiters))
	}
	// Output: monthly report true 0
}
