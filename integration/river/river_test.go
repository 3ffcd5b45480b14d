package river_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
	_ "github.com/bindery-go/bindery/binds/pgbind"
	"github.com/bindery-go/bindery/internal/teston"
	"github.com/bindery-go/bindery/manager"
)

// patience bounds every wait: the leader looks for scheduled jobs every five seconds.
const patience = time.Minute

// note is a job: whoever works it says so.
type note struct {
	Text string `json:"text" river:"unique"`
}

func (note) Kind() string { return "note" }

type writer struct {
	river.WorkerDefaults[note]
	worked chan string
}

func (w *writer) Work(_ context.Context, job *river.Job[note]) error {
	if job.Args.Text == "it fails once" && job.Attempt == 1 {
		return errors.New("it's no good")
	}
	w.worked <- job.Args.Text
	return nil
}

// NextRetry tries again at once.
func (w *writer) NextRetry(*river.Job[note]) time.Time { return time.Now() }

// River works on the pool of a bind's writer, whose statements have arguments and comments: it migrates, elects a leader, and works jobs that are
// due at once, later and periodically, inserted with and without a transaction of the application's.
func TestRiver_onTheWritersPool(t *testing.T) {
	teston.Only(t, teston.Postgres)
	ctx := t.Context()
	cluster := teston.Start(t, teston.Postgres, 0)
	m, err := manager.New(ctx, &manager.Config{Binds: []manager.BindConfig{{Key: "jobs", Writer: binds.NewURI(cluster.Primary.URI())}}})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, m.Close()) })
	bind, err := m.Bind(binds.Key("jobs"))
	require.NoError(t, err)
	db := bind.WriterEngine().DB()

	driver := riverdatabasesql.New(db)
	migrator, err := rivermigrate.New(driver, nil)
	require.NoError(t, err)
	_, err = migrator.Migrate(ctx, rivermigrate.DirectionUp, nil)
	require.NoError(t, err)

	workers, w := river.NewWorkers(), &writer{worked: make(chan string, 100)}
	river.AddWorker(workers, w)
	client, err := river.NewClient(driver, &river.Config{
		Queues:  map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 5}},
		Workers: workers,
		PeriodicJobs: []*river.PeriodicJob{river.NewPeriodicJob(river.PeriodicInterval(time.Hour),
			func() (river.JobArgs, *river.InsertOpts) { return note{"it's periodic"}, nil }, &river.PeriodicJobOpts{RunOnStart: true})},
	})
	require.NoError(t, err)
	done, cancel := client.Subscribe(river.EventKindJobCompleted)
	t.Cleanup(cancel)
	require.NoError(t, client.Start(ctx))
	t.Cleanup(func() { assert.NoError(t, client.Stop(context.WithoutCancel(ctx))) })

	_, err = client.Insert(ctx, note{"at once: $1 it's"}, nil)
	require.NoError(t, err)
	_, err = client.Insert(ctx, note{"later"}, &river.InsertOpts{ScheduledAt: time.Now().Add(time.Second), Tags: []string{"first-tag", "second-tag"}})
	require.NoError(t, err)
	_, err = client.Insert(ctx, note{"it fails once"}, &river.InsertOpts{MaxAttempts: 3})
	require.NoError(t, err)
	once := &river.InsertOpts{UniqueOpts: river.UniqueOpts{ByArgs: true}}
	first, err := client.Insert(ctx, note{"unique"}, once)
	require.NoError(t, err)
	again, err := client.Insert(ctx, note{"unique"}, once)
	require.NoError(t, err)
	assert.True(t, again.UniqueSkippedAsDuplicate)
	assert.Equal(t, first.Job.ID, again.Job.ID)
	tx, err := db.BeginTx(ctx, nil)
	require.NoError(t, err)
	_, err = client.InsertManyTx(ctx, tx, []river.InsertManyParams{{Args: note{"in a transaction"}}, {Args: note{"with another"}}})
	require.NoError(t, err)
	require.NoError(t, tx.Commit())
	tx, err = db.BeginTx(ctx, nil)
	require.NoError(t, err)
	_, err = client.InsertTx(ctx, tx, note{"rolled back"}, nil)
	require.NoError(t, err)
	require.NoError(t, tx.Rollback())

	want := []string{"it's periodic", "at once: $1 it's", "later", "it fails once", "unique", "in a transaction", "with another"}
	var got []string
	limit := time.After(patience)
	for len(got) < len(want) {
		select {
		case text := <-w.worked:
			got = append(got, text)
		case <-limit:
			require.ElementsMatch(t, want, got, "worked so far")
		}
	}
	assert.ElementsMatch(t, want, got)
	for range want {
		select {
		case e := <-done:
			assert.Equal(t, rivertype.JobStateCompleted, e.Job.State)
		case <-limit:
			require.Fail(t, "jobs are worked, and not completed")
		}
	}
	var leader string
	require.NoError(t, db.QueryRowContext(ctx, "SELECT leader_id FROM river_leader WHERE name = $1 -- it's one", "default").Scan(&leader))
	assert.Equal(t, client.ID(), leader)
}
