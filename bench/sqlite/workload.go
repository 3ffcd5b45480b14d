package sqlite

import (
	"context"
	"errors"
	"fmt"

	"github.com/uptrace/bun"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/bindery-go/bindery/bench/internal/load"
)

// rows is how many the file has.
const rows = 10_000

// updates is how many of a hundred statements of the mix are updates.
const updates = 10

// item is a row of the mix.
type item struct {
	bun.BaseModel `bun:"table:items"`

	ID      int64 `bun:",pk"`
	Owner   int64
	Version int64
	Name    string
}

// counter is the row that transactions read and then write.
type counter struct {
	bun.BaseModel `bun:"table:counters"`

	ID    int64 `bun:",pk"`
	Value int64
}

// fill makes the tables and their rows.
func fill(ctx context.Context, db *bun.DB) error {
	for _, model := range []any{(*item)(nil), (*counter)(nil)} {
		if _, err := db.NewCreateTable().Model(model).Exec(ctx); err != nil {
			return err
		}
	}
	items := make([]item, rows)
	for i := range items {
		items[i] = item{ID: int64(i + 1), Owner: int64(i % 100), Name: fmt.Sprintf("item %d of the mix, long enough to be a row", i+1)}
	}
	if _, err := db.NewInsert().Model(&items).Exec(ctx); err != nil {
		return err
	}
	_, err := db.NewInsert().Model(&counter{ID: 1}).Exec(ctx)
	return err
}

// The operations, by the names under which they are measured.
const (
	read        = "read"
	update      = "update"
	transaction = "transaction"
)

// A workload is what every goroutine does in a loop.
type workload struct {
	name string
	ops  []string // the names of its operations
	step func(*store, context.Context, *load.Worker) error
}

var (
	mix      = workload{"mix", []string{read, update}, (*store).mixed}
	counting = workload{"transactions", []string{transaction}, (*store).counted}
)

// mixed does one statement of the mix.
func (s *store) mixed(ctx context.Context, w *load.Worker) error {
	id := w.Rand.Int64N(rows) + 1
	if w.Rand.IntN(100) >= updates {
		return survive(w.Do(read, func() error {
			return s.sel(&item{ID: id}).WherePK().Scan(ctx)
		}))
	}
	row := &item{ID: id, Version: w.Rand.Int64(), Name: "changed by an update of the mix, and as long"}
	return survive(w.Do(update, func() error {
		_, err := s.upd(row).Column("version", "name").WherePK().Exec(ctx)
		return err
	}))
}

// counted counts by one, in a transaction that reads the counter first.
func (s *store) counted(ctx context.Context, w *load.Worker) error {
	return survive(w.Do(transaction, func() error {
		return s.inTx(ctx, func(ctx context.Context, b builders) error {
			c := &counter{ID: 1}
			if err := b.sel(c).WherePK().Scan(ctx); err != nil {
				return err
			}
			c.Value++
			_, err := b.upd(c).Column("value").WherePK().Exec(ctx)
			return err
		})
	}))
}

// count returns the counter.
func (s *store) count(ctx context.Context) (int64, error) {
	c := &counter{ID: 1}
	err := s.sel(c).WherePK().Scan(ctx)
	return c.Value, err
}

// survive lets the load go on after what is counted, and end at any other error.
func survive(err error) error {
	if isBusy(err) {
		return nil
	}
	return err
}

// isBusy reports whether err is SQLITE_BUSY, in any of its kinds.
func isBusy(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_BUSY
}
