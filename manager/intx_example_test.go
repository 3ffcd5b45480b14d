package manager_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/manager"
	"github.com/bindery-go/bindery/router"
)

func ExampleDBManager_InTx() {
	ctx := context.Background()
	m, done := exampleManager()
	defer done()

	err := m.InTx(ctx, Accounts{}, func(ctx context.Context) error {
		if _, err := m.NewInsert(&User{Name: "Alice"}).Exec(ctx); err != nil {
			return err
		}
		n, err := m.NewSelect((*User)(nil)).Count(ctx) // it joins, too
		fmt.Println("inside:", n)
		return errors.Join(err, errors.New("no such thing"))
	})
	fmt.Println(err)
	n, err := m.NewSelect((*User)(nil)).Count(ctx)
	fmt.Println("outside:", n, err)
	// Output:
	// inside: 1
	// no such thing
	// outside: 0 <nil>
}

// An InTx inside an InTx on the same bind is a savepoint.
func ExampleDBManager_InTx_nested() {
	ctx := context.Background()
	m, done := exampleManager()
	defer done()

	err := m.InTx(ctx, Accounts{}, func(ctx context.Context) error {
		if _, err := m.NewInsert(&User{Name: "Alice"}).Exec(ctx); err != nil {
			return err
		}
		err := m.InTx(ctx, Accounts{}, func(ctx context.Context) error {
			_, err := m.NewInsert(&User{Name: "Bob"}).Exec(ctx)
			return errors.Join(err, errors.New("not Bob"))
		}, manager.Name("bob"))
		fmt.Println(err)
		return nil
	})
	var names []string
	err = errors.Join(err, m.NewSelect((*User)(nil)).Column("name").Scan(ctx, &names))
	fmt.Println(names, err)
	// Output:
	// not Bob
	// [Alice] <nil>
}

// A write to another database would not be rolled back with the transaction.
func ExampleDBManager_InTx_crossBind() {
	ctx := context.Background()
	m, done := exampleManager()
	defer done()

	audit := func(ctx context.Context) error {
		_, err := m.NewRaw(binds.Key("audit"), "CREATE TABLE IF NOT EXISTS events (id INTEGER)").Exec(ctx)
		return err
	}
	err := m.InTx(ctx, Accounts{}, func(ctx context.Context) error {
		fmt.Println(audit(ctx))
		return audit(router.AllowCrossBind(ctx)) // stays, whatever becomes of the transaction
	})
	fmt.Println(err)
	// Output:
	// router: a write to bind "audit" inside a transaction on bind "accounts" would not be part of it: open one on both (InTxAll, or InTx inside InTx), or allow it by router.AllowCrossBind
	// <nil>
}

func ExampleDBManager_InTxAll() {
	ctx := context.Background()
	m, done := exampleManager()
	defer done()

	err := m.InTxAll(ctx, []binds.Bound{Accounts{}, binds.Key("audit")}, func(ctx context.Context) error {
		_, err := m.NewInsert(&User{Name: "Alice"}).Exec(ctx)
		if err == nil {
			_, err = m.NewRaw(binds.Key("audit"), "CREATE TABLE events (id INTEGER)").Exec(ctx)
		}
		return err
	})
	var partial *router.PartialCommitError
	if errors.As(err, &partial) {
		fmt.Println("committed:", partial.Committed, "not:", partial.RolledBack)
	}
	fmt.Println(err)
	// Output: <nil>
}

func ExampleInTransaction() {
	ctx := context.Background()
	m, done := exampleManager()
	defer done()

	fmt.Println(manager.InTransaction(ctx, Accounts{}))
	_ = m.InTx(ctx, Accounts{}, func(ctx context.Context) error {
		fmt.Println(manager.InTransaction(ctx, Accounts{}), manager.InTransaction(router.OutsideTx(ctx), Accounts{}))
		return nil
	})
	// Output:
	// false
	// true false
}

// A report reads one state of the database, on a reader.
func ExampleReadOnly() {
	ctx := context.Background()
	m, done := exampleManager()
	defer done()

	ctx, route := router.Explain(ctx)
	err := m.InTx(ctx, Accounts{}, func(ctx context.Context) error {
		_, err := m.NewSelect((*User)(nil)).Count(ctx)
		fmt.Println(route)
		_, write := m.NewInsert(&User{Name: "Alice"}).Exec(ctx)
		fmt.Println(write)
		return err
	}, manager.ReadOnly())
	fmt.Println(err)
	// Output:
	// accounts/reader-1 (read, transaction)
	// router: a statement that is not a plain read was given to a read-only transaction on bind "accounts": begin it without ReadOnly
	// <nil>
}

// Purse holds cents.
type Purse struct {
	bun.BaseModel `bun:"table:purses"`
	Accounts

	ID      int64 `bun:",pk"`
	Cents   int64
	Version int64
}

// A hundred goroutines take ten cents each from the same purse: three ways that lose nothing. Without a
// transaction, two that read the same balance both write what is left for one.
func ExampleRetry() {
	ctx := context.Background()
	m, done := exampleManager()
	defer done()
	if _, err := m.NewCreateTable((*Purse)(nil)).Exec(ctx); err != nil {
		panic(err)
	}

	charge := func(ctx context.Context) error {
		p := &Purse{ID: 1}
		if err := m.NewSelect(p).WherePK().Scan(ctx); err != nil { // For("UPDATE") on PostgreSQL and MariaDB
			return err
		}
		p.Cents -= 10
		_, err := m.NewUpdate(p).Column("cents").WherePK().Exec(ctx)
		return err
	}
	for _, way := range []struct {
		name   string
		charge func() error
	}{
		{"locked", func() error { return m.InTx(ctx, Accounts{}, charge) }}, // SQLite's writer is alone from BEGIN on
		{"serializable", func() error {
			return m.InTx(ctx, Accounts{}, charge, manager.Isolation(sql.LevelSerializable), manager.Retry(100))
		}},
		{"versioned", func() error {
			for {
				p := &Purse{ID: 1}
				if err := m.NewSelect(p).WherePK().Scan(ctx); err != nil {
					return err
				}
				p.Cents, p.Version = p.Cents-10, p.Version+1
				res, err := m.NewUpdate(p).Column("cents", "version").WherePK().Where("version = ?", p.Version-1).Exec(ctx)
				if err != nil {
					return err
				}
				if n, err := res.RowsAffected(); err != nil || n == 1 {
					return err
				}
			}
		}},
	} {
		_, err := m.NewRaw(Accounts{}, "INSERT OR REPLACE INTO purses VALUES (1, 10000, 0)").Exec(ctx)
		if err != nil {
			panic(err)
		}
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				if err := way.charge(); err != nil {
					panic(err)
				}
			})
		}
		wg.Wait()
		p := &Purse{ID: 1}
		err = m.NewSelect(p).WherePK().Scan(ctx)
		fmt.Println(way.name, p.Cents, err)
	}
	// Output:
	// locked 9000 <nil>
	// serializable 9000 <nil>
	// versioned 9000 <nil>
}

// Of a statement that was never sent nothing is unknown: the error names the pool that was waited for. Here the query is given the
// outer context by mistake, and the transaction has SQLite's only connection that writes.
func ExampleDBManager_InTx_outerContext() {
	ctx := context.Background()
	m, done := exampleManager()
	defer done()

	short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	err := m.InTx(ctx, Accounts{}, func(context.Context) error {
		_, err := m.NewInsert(&User{Name: "Alice"}).Exec(short) // short comes from ctx
		return err
	})
	var unsent *router.NotSentError
	fmt.Println(errors.As(err, &unsent), errors.Is(err, context.DeadlineExceeded), errors.Is(err, router.ErrOutcomeUnknown))
	fmt.Printf("%s: %d of %d in use, %d by transactions\n", unsent.Engine, unsent.InUse, unsent.MaxOpen, unsent.InTx)
	// Output:
	// true true false
	// accounts/writer: 1 of 1 in use, 1 by transactions
}

// Query hooks see how a transaction begins and ends.
func ExampleWithQueryHook_transactions() {
	ctx := context.Background()
	m, done := exampleManager(manager.WithQueryHook(printHook{}))
	defer done()

	err := m.InTx(ctx, Accounts{}, func(ctx context.Context) error {
		return m.InTx(ctx, Accounts{}, func(context.Context) error { return errors.New("no") }, manager.Name("try"))
	})
	fmt.Println(err)
	// Output:
	// BEGIN
	// SAVEPOINT "try_1"
	// ROLLBACK TO SAVEPOINT "try_1"
	// RELEASE SAVEPOINT "try_1"
	// ROLLBACK
	// no
}

// printHook prints statements that are no builder's.
type printHook struct{}

func (printHook) BeforeQuery(ctx context.Context, _ *bun.QueryEvent) context.Context { return ctx }

func (printHook) AfterQuery(_ context.Context, e *bun.QueryEvent) {
	if e.IQuery == nil {
		fmt.Println(e.Query)
	}
}
