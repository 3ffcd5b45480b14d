package models_test

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"

	"github.com/bindery-go/bindery/models"
)

type job struct {
	bun.BaseModel `bun:"table:queue_jobs,alias:j"`

	ID     int64 `bun:",pk"`
	State  string
	Worker int64
	Note   string
}

func (*job) AfterCreateTable(ctx context.Context, q *bun.CreateTableQuery) error {
	_, err := q.DB().NewCreateIndex().Model((*job)(nil)).Index("queue_jobs_state").Column("state", "id").Exec(ctx)
	return err
}

func addJobs(t *testing.T, db bun.IDB, n int) {
	t.Helper()
	rows := make([]job, n)
	for i := range rows {
		rows[i] = job{ID: int64(i + 1), State: "free", Note: fmt.Sprint("note ", i+1)}
	}
	_, err := db.NewInsert().Model(&rows).Exec(t.Context())
	require.NoError(t, err)
}

func free(q *bun.SelectQuery) *bun.SelectQuery { return q.Where("state = 'free'").Order("id") }

func by(worker int64) func(*bun.UpdateQuery) *bun.UpdateQuery {
	return func(q *bun.UpdateQuery) *bun.UpdateQuery { return q.Set("state = 'taken'").Set("worker = ?", worker) }
}

func TestClaim(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		createTables(t, db, (*job)(nil))
		eachIDB(t, db, func(t *testing.T, db bun.IDB) {
			empty(t, db, (*job)(nil))
			addJobs(t, db, 5)
			jobs, err := models.Claim[job](t.Context(), db, 2, free, by(7))
			require.NoError(t, err)
			assert.ElementsMatch(t, []job{{ID: 1, State: "taken", Worker: 7, Note: "note 1"}, {ID: 2, State: "taken", Worker: 7, Note: "note 2"}}, jobs, "the first, as they are now")
			jobs, err = models.Claim[job](t.Context(), db, 9, free, by(8))
			require.NoError(t, err)
			assert.Len(t, jobs, 3, "what there is")
			jobs, err = models.Claim[job](t.Context(), db, 9, free, by(9))
			require.NoError(t, err)
			assert.Empty(t, jobs)
			var workers []int64
			require.NoError(t, db.NewSelect().Model((*job)(nil)).Column("worker").Order("id").Scan(t.Context(), &workers))
			assert.Equal(t, []int64{7, 7, 8, 8, 8}, workers)
		})
	})
}

// TestClaimPassesOverLockedRows claims while another transaction has locked some rows. SQLite has
// no such locks.
func TestClaimPassesOverLockedRows(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		if db.Dialect().Name() == dialect.SQLite {
			return
		}
		createTables(t, db, (*job)(nil))
		addJobs(t, db, 4)
		tx, err := db.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		mine, err := models.Claim[job](t.Context(), tx, 2, free, by(1))
		require.NoError(t, err)
		require.Len(t, mine, 2)
		theirs, err := models.Claim[job](t.Context(), db, 3, free, by(2))
		require.NoError(t, err)
		require.Len(t, theirs, 2)
		assert.ElementsMatch(t, []int64{3, 4}, []int64{theirs[0].ID, theirs[1].ID})
		require.NoError(t, tx.Rollback())
		again, err := models.Claim[job](t.Context(), db, 9, free, by(3))
		require.NoError(t, err)
		assert.Len(t, again, 2, "free again after the rollback")
	})
}

// TestClaimRace has sixteen workers empty one queue.
func TestClaimRace(t *testing.T) {
	const workers, jobs = 16, 400
	eachDB(t, func(t *testing.T, db *bun.DB) {
		createTables(t, db, (*job)(nil))
		addJobs(t, db, jobs)
		var (
			mu    sync.Mutex // guards owner
			owner = map[int64][]int64{}
			wg    sync.WaitGroup
		)
		count := func() int {
			mu.Lock()
			defer mu.Unlock()
			return len(owner)
		}
		for worker := int64(1); worker <= workers; worker++ {
			wg.Go(func() {
				for count() < jobs { // nothing free may mean that it is locked
					got, err := models.Claim[job](t.Context(), db, 3, free, by(worker))
					if !assert.NoError(t, err) {
						return
					}
					assert.LessOrEqual(t, len(got), 3)
					mu.Lock()
					for _, row := range got {
						assert.Equal(t, worker, row.Worker)
						owner[row.ID] = append(owner[row.ID], worker)
					}
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		assert.Len(t, owner, jobs)
		for id, workers := range owner {
			assert.Len(t, workers, 1, "job %d", id)
		}
	})
}

type compositeJob struct {
	bun.BaseModel `bun:"table:queue_composite_jobs"`

	Tenant string `bun:",pk"`
	Number int64  `bun:",pk"`
	Taken  bool
}

// TestClaimAfterARead claims in a transaction that has read the queue before it changed. The snapshot is not
// what counts: no row is taken twice, and all or nothing of the transaction is written.
func TestClaimAfterARead(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		if db.Dialect().Name() == dialect.SQLite {
			return // the claim's transaction would have to be the only one
		}
		createTables(t, db, (*job)(nil))
		addJobs(t, db, 3)
		var jobs []job
		err := db.RunInTx(t.Context(), nil, func(ctx context.Context, tx bun.Tx) error {
			n, err := tx.NewSelect().Model((*job)(nil)).Where("state = 'free'").Count(ctx)
			require.NoError(t, err)
			require.EqualValues(t, 3, n)
			_, err = tx.NewInsert().Model(&job{ID: 9, State: "mine"}).Exec(ctx)
			require.NoError(t, err)
			rival, err := models.Claim[job](t.Context(), db, 1, free, by(1))
			require.NoError(t, err)
			require.Equal(t, int64(1), rival[0].ID)
			_, err = db.NewUpdate().Model((*job)(nil)).Set("note = 'changed'").Where("id = 2").Exec(t.Context())
			require.NoError(t, err)

			jobs, err = models.Claim[job](ctx, tx, 1, free, by(2))
			if isolatesSnapshots(db) {
				require.ErrorContains(t, err, "1020")
				_, err = tx.NewInsert().Model(&job{ID: 10, State: "outside"}).Exec(ctx)
				require.ErrorIs(t, err, sql.ErrTxDone)
				return nil // as a careless caller might
			}
			return err
		})
		ids := func(state string) (ids []int64) {
			require.NoError(t, db.NewSelect().Model((*job)(nil)).Column("id").Where("state = ?", state).Order("id").Scan(t.Context(), &ids))
			return ids
		}
		if isolatesSnapshots(db) {
			require.ErrorIs(t, err, sql.ErrTxDone)
			assert.Equal(t, []int64{1}, ids("taken"))
			assert.Empty(t, ids("mine"))
			return
		}
		require.NoError(t, err)
		assert.Equal(t, []job{{ID: 2, State: "taken", Worker: 2, Note: "changed"}}, jobs)
		assert.Equal(t, []int64{1, 2}, ids("taken"))
		assert.Equal(t, []int64{9}, ids("mine"))
	})
}

func TestClaimCompositeKey(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		createTables(t, db, (*compositeJob)(nil))
		rows := []compositeJob{{Tenant: "a", Number: 1}, {Tenant: "a", Number: 2}, {Tenant: "it's", Number: 1}, {Tenant: "it's", Number: 2}}
		_, err := db.NewInsert().Model(&rows).Exec(t.Context())
		require.NoError(t, err)
		claim := func() []compositeJob {
			got, err := models.Claim[compositeJob](t.Context(), db, 3,
				func(q *bun.SelectQuery) *bun.SelectQuery {
					return q.Where("taken = ?", false).Order("number", "tenant")
				},
				func(q *bun.UpdateQuery) *bun.UpdateQuery { return q.Set("taken = ?", true) })
			require.NoError(t, err)
			return got
		}
		assert.ElementsMatch(t, []compositeJob{
			{Tenant: "a", Number: 1, Taken: true}, {Tenant: "it's", Number: 1, Taken: true}, {Tenant: "a", Number: 2, Taken: true}}, claim())
		assert.Equal(t, []compositeJob{{Tenant: "it's", Number: 2, Taken: true}}, claim())
	})
}

type keyless struct{ Name string }

func TestClaimRefuses(t *testing.T) {
	db := databases[0].get(t)
	_, err := models.Claim[job](t.Context(), db, 0, free, by(1))
	require.EqualError(t, err, "models: claim of models_test.job: cannot take 0 rows")
	_, err = models.Claim[int](t.Context(), db, 1, free, by(1))
	require.EqualError(t, err, "models: claim of int: not a struct")
	_, err = models.Claim[keyless](t.Context(), db, 1, free, by(1))
	require.EqualError(t, err, "models: claim of models_test.keyless: no primary key")
	createTables(t, db, (*job)(nil))
	_, err = models.Claim[job](t.Context(), db, 1, func(q *bun.SelectQuery) *bun.SelectQuery { return q.Where("nothing") }, by(1))
	require.ErrorContains(t, err, "models: claim of models_test.job: ")
}
