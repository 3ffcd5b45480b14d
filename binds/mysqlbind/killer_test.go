package mysqlbind

import (
	"context"
	"database/sql/driver"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/assert"

	"github.com/bindery-go/bindery/binds"
)

func TestIsSame(t *testing.T) {
	begun := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s := session{id: 40, server: "db1/3306/1", since: begun}
	for reason, row := range map[string]struct {
		own     session
		started time.Time
		want    bool
	}{
		"the server ran all along":              {session{id: 41, server: "db1/3306/1"}, begun.Add(-time.Hour), true},
		"it started a moment before":            {session{id: 41, server: "db1/3306/1"}, begun, true},
		"uptime is counted in whole seconds":    {session{id: 41, server: "db1/3306/1"}, begun.Add(time.Second), true},
		"restarted since":                       {session{id: 41, server: "db1/3306/1"}, begun.Add(time.Minute), false},
		"another server behind a load balancer": {session{id: 41, server: "db2/3306/2"}, begun.Add(-time.Hour), false},
		"identifiers begin anew":                {session{id: 7, server: "db1/3306/1"}, begun, false},
	} {
		t.Run(reason, func(t *testing.T) { assert.Equal(t, row.want, isSame(s, row.own, row.started)) })
	}
}

func TestKillerClosesTwice(t *testing.T) {
	k := newKiller(nil, binds.Writer)
	k.close()
	k.close()
	k.add(session{id: 1}) // too late: nothing is started
	assert.Nil(t, k.worker)
	assert.Empty(t, k.queue)
	assert.Equal(t, binds.CancelStats{Dropped: 1}, k.counts())
	k = newKiller(nil, binds.Writer)
	k.add(session{id: 1, routing: routing{splits: true}}) // what tells the server might reach another
	assert.Nil(t, k.worker)
	assert.Equal(t, binds.CancelStats{Dropped: 1}, k.counts())
}

// Errors of connecting that have a cure name it. These need a server that is not at hand.
func TestExplain(t *testing.T) {
	s := &source{}
	ctx := t.Context()
	for cure, err := range map[string]error{
		"give ssl-mode=VERIFY_IDENTITY":  &mysql.MySQLError{Number: 3159, Message: "insecure transport"},
		"give enable-cleartext-plugin=1": mysql.ErrCleartextPassword,
	} {
		explained := s.explain(ctx, ctx, err)
		assert.ErrorContains(t, explained, cure)
		assert.ErrorIs(t, explained, err)
	}
	other := &mysql.MySQLError{Number: 1045}
	assert.Equal(t, other, s.explain(ctx, ctx, other))
}

// silent is a server that does not answer.
type silent struct{ asked atomic.Int32 }

func (s *silent) Connect(ctx context.Context) (driver.Conn, error) {
	s.asked.Add(1)
	<-ctx.Done()
	return nil, ctx.Err()
}

func (s *silent) Driver() driver.Driver { return nil }

// However many statements are given up while a server does not answer, one goroutine asks it, and
// for killTimeout only.
func TestKillerAsksOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := new(silent)
		k := newKiller(&source{native: server}, binds.Writer)
		for id := range uint64(20) {
			k.add(session{id: id})
			synctest.Wait()
		}
		assert.EqualValues(t, 1, server.asked.Load())
		time.Sleep(killTimeout) // the first is given up, the rest is asked for together
		synctest.Wait()
		assert.EqualValues(t, 2, server.asked.Load())
		time.Sleep(killTimeout)
		synctest.Wait()
		assert.EqualValues(t, 2, server.asked.Load())
		assert.Nil(t, k.worker, "a goroutine is left without work")
		assert.Equal(t, binds.CancelStats{Dropped: 20}, k.counts())
		k.close()
	})
}

// Closing waits for the goroutine, but not for a server that does not answer.
func TestKillerCloseIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKiller(&source{native: new(silent)}, binds.Writer)
		k.add(session{id: 1})
		synctest.Wait()
		k.add(session{id: 2})
		since := time.Now()
		k.close()
		assert.Equal(t, closeGrace, time.Since(since))
	})
}

// What waits for a server that does not answer is bounded, and who gives a statement up does not wait.
func TestKillerQueueIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKiller(&source{native: new(silent)}, binds.Writer)
		k.add(session{id: 1})
		synctest.Wait()
		since := time.Now()
		for id := range uint64(2 * maxQueue) {
			k.add(session{id: 2 + id})
		}
		assert.Zero(t, time.Since(since))
		assert.Len(t, k.queue, maxQueue)
		assert.EqualValues(t, maxQueue, k.counts().Dropped)
		k.close()
		assert.Equal(t, binds.CancelStats{Dropped: 2*maxQueue + 1}, k.counts())
	})
}
