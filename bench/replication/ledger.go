package replication

import (
	"context"
	"fmt"
	"sync/atomic"
)

// A ledger holds the truth about the rows: the version that was last given to each. A row's version is
// raised by its owner alone, one write after the other, so versions never go down on the primary.
type ledger struct {
	each     int            // rows of one owner
	versions []atomic.Int64 // by id-1
}

func newLedger(owners, each int) *ledger {
	return &ledger{each: each, versions: make([]atomic.Int64, owners*each)}
}

func (l *ledger) rows() int { return len(l.versions) }

// own returns the key of an owner's row n.
func (l *ledger) own(owner, n int) int64 { return int64(owner*l.each+n) + 1 }

// next returns the version for the owner to write.
func (l *ledger) next(id int64) int64 { return l.versions[id-1].Add(1) }

// given returns the highest version that may be in the database.
func (l *ledger) given(id int64) int64 { return l.versions[id-1].Load() }

// verify compares a database at rest with the ledger: every write must be there, once.
func (l *ledger) verify(ctx context.Context, db store) error {
	for id := int64(1); id <= int64(l.rows()); id++ {
		it, err := db.Get(ctx, id)
		if err != nil {
			return err
		}
		if want := l.given(id); it.Version != want {
			return fmt.Errorf("replication: row %d is at version %d, and %d were written: the history is not sound", id, it.Version, want)
		}
	}
	return nil
}
