package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/manager"
	"github.com/bindery-go/bindery/router"
)

// steps are the tour, in order.
var steps = []struct {
	title string
	run   func(context.Context, *manager.DBManager) error
}{
	{"create the tables", createTables},
	{"insert: the writer", insert},
	{"read your write at once, whatever the replicas' lag", read},
	{"read on: the readers rejoin within milliseconds of catching up", readOn},
	{"read on the writer, by a hint", readOnWriter},
	{"locking read: the writer", lockingRead},
	{"update: the writer", update},
	{"transaction: one connection of the writer", transaction},
	{"relation across binds: each query on its own bind", relation},
	{"raw queries: the text decides", raw},
}

var alice = &User{Name: "Alice", Balance: 100}

// walk takes every step and drops the tables at the end, also when it was interrupted.
func (t *table) walk(ctx context.Context, m *manager.DBManager) (err error) {
	defer func() {
		err = errors.Join(err, t.step(context.WithoutCancel(ctx), m, "drop the tables", dropTables))
	}()
	for _, s := range steps {
		if err := t.step(ctx, m, s.title, s.run); err != nil {
			return fmt.Errorf("%s: %w", s.title, err)
		}
	}
	return nil
}

func createTables(ctx context.Context, m *manager.DBManager) error {
	for _, model := range []any{(*User)(nil), (*Event)(nil)} {
		if _, err := m.NewCreateTable(model).IfNotExists().Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}

func dropTables(ctx context.Context, m *manager.DBManager) error {
	_, err1 := m.NewDropTable((*Event)(nil)).IfExists().Exec(ctx)
	_, err2 := m.NewDropTable((*User)(nil)).IfExists().Exec(ctx)
	return errors.Join(err1, err2)
}

func insert(ctx context.Context, m *manager.DBManager) error {
	alice.ID = 0
	if _, err := m.NewInsert(alice).Exec(ctx); err != nil {
		return err
	}
	_, err := m.NewInsert(&Event{UserID: alice.ID, Text: "signed up", At: time.Now().UTC()}).Exec(ctx)
	return err
}

// read shows the row that insert has just written: from the writer, unless a reader has it already.
func read(ctx context.Context, m *manager.DBManager) error {
	return m.NewSelect(alice).WherePK().Scan(ctx)
}

// readOn reads until a reader serves, for ten seconds.
func readOn(ctx context.Context, m *manager.DBManager) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if err := read(ctx, m); err != nil || router.RouteFrom(ctx).Last().Role == binds.Reader {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.New("no reader caught up within ten seconds")
		}
	}
}

func readOnWriter(ctx context.Context, m *manager.DBManager) error {
	return m.NewSelect(alice).WherePK().Scan(router.OnWriter(ctx))
}

func lockingRead(ctx context.Context, m *manager.DBManager) error {
	q := m.NewSelect(alice).WherePK()
	if q.Dialect().Name() == dialect.SQLite {
		return q.Scan(router.OnWriter(ctx)) // SQLite has no FOR UPDATE: its writers exclude each other
	}
	return q.For("UPDATE").Scan(ctx)
}

func update(ctx context.Context, m *manager.DBManager) error {
	_, err := m.NewUpdate(alice).Set("balance = balance + 1").WherePK().Exec(ctx)
	return err
}

func transaction(ctx context.Context, m *manager.DBManager) error {
	accounts, err := m.Bind(Accounts{})
	if err != nil {
		return err
	}
	return accounts.DB().RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		if err := tx.NewSelect().Model(alice).WherePK().Scan(ctx); err != nil {
			return err
		}
		_, err := tx.NewUpdate().Model(alice).Set("balance = ?", alice.Balance-10).WherePK().Exec(ctx)
		return err
	})
}

// relation loads Alice with her events, which live in another database. Bun writes the second query
// in the first bind's dialect: between two kinds of database the answer is an error that says so,
// and the events are loaded by a query of their own.
func relation(ctx context.Context, m *manager.DBManager) error {
	user := &User{ID: alice.ID}
	err := m.NewSelect(user).WherePK().Relation("Events").Scan(ctx)
	var dialects *router.CrossDialectRelationError
	if errors.As(err, &dialects) {
		return m.NewSelect(&user.Events).Where("user_id = ?", user.ID).Scan(ctx)
	}
	return err
}

func raw(ctx context.Context, m *manager.DBManager) error {
	var n int
	if err := m.NewRaw(Audit{}, "SELECT count(*) FROM bindery_tour_events").Scan(ctx, &n); err != nil {
		return err
	}
	_, err := m.NewRaw(Audit{}, "UPDATE bindery_tour_events SET text = ? WHERE user_id = ?", "moved in", alice.ID).Exec(ctx)
	return err
}
