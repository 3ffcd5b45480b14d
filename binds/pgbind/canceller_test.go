package pgbind

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
)

// A cancelCounter forwards connections to a server and counts those that carry cancel requests.
type cancelCounter struct {
	mu         sync.Mutex
	open, most int
	asked      map[uint32]int // requests for each session
}

// countCancels returns the server's URI through a counter.
func countCancels(t *testing.T, uri string) (string, *cancelCounter) {
	t.Helper()
	u, err := url.Parse(uri)
	require.NoError(t, err)
	server := u.Host
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	u.Host = l.Addr().String()
	c := &cancelCounter{asked: map[uint32]int{}}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { c.forward(in, server) })
		}
	})
	t.Cleanup(func() { assert.NoError(t, l.Close()); wg.Wait() })
	return u.String(), c
}

func (c *cancelCounter) forward(in net.Conn, server string) {
	defer func() { _ = in.Close() }()
	out, err := net.Dial("tcp", server)
	if err != nil {
		return
	}
	defer func() { _ = out.Close() }()
	var begin [16]byte
	if _, err := io.ReadFull(in, begin[:8]); err != nil {
		return
	}
	n := 8
	if binary.BigEndian.Uint32(begin[4:]) == codeCancel {
		if _, err := io.ReadFull(in, begin[8:]); err != nil {
			return
		}
		n = 16
		c.mu.Lock()
		c.open++
		c.most = max(c.most, c.open)
		c.asked[binary.BigEndian.Uint32(begin[8:])]++
		c.mu.Unlock()
		defer func() { c.mu.Lock(); c.open--; c.mu.Unlock() }()
	}
	_, _ = out.Write(begin[:n])
	go func() { _, _ = io.Copy(out, in); _ = out.(*net.TCPConn).CloseWrite() }()
	_, _ = io.Copy(in, out)
}

// However many statements are given up at a time, few connections ask the server to stop them, and it stops them all.
func TestCancel_many(t *testing.T) {
	const statements = 40
	uri, count := countCancels(t, with(t, cluster.Primary.URI(), "sslmode", "disable"))
	e := open(t, uri, binds.WithPool(binds.Pool{MaxOpen: statements}))
	ctx, giveUp := context.WithCancel(t.Context())
	defer giveUp()
	var left sync.WaitGroup
	for range statements {
		left.Go(func() { assert.ErrorIs(t, sleeps(e)(ctx), context.Canceled) })
	}
	eventually(t, fmt.Sprint(statements), active)
	giveUp()
	left.Wait()
	eventually(t, "0", active)
	count.mu.Lock()
	defer count.mu.Unlock()
	sum := 0
	for _, n := range count.asked {
		sum += n
	}
	t.Logf("%d connections for %d statements, %d at once", sum, len(count.asked), count.most)
	assert.Len(t, count.asked, statements)
	assert.LessOrEqual(t, count.most, maxCancels)
	count.mu.Unlock()
	require.NoError(t, e.Close())
	count.mu.Lock()
	assert.Equal(t, binds.CancelStats{Asked: statements}, e.Cancels())
}

// A slowServer takes a time for each cancel request.
type slowServer struct {
	mu               sync.Mutex
	takes            time.Duration
	open, most, sent int
}

func (s *slowServer) givesUp(c *canceller, answered func() bool) {
	c.add(&givenUp{answered: answered, ask: func(ctx context.Context) error {
		s.mu.Lock()
		s.open++
		s.sent++
		s.most = max(s.most, s.open)
		s.mu.Unlock()
		defer func() { s.mu.Lock(); s.open--; s.mu.Unlock() }()
		select {
		case <-time.After(s.takes):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}})
}

func no() bool { return false }

// A statement that does not answer is asked for four times, one that has answered not again.
func TestCanceller_repeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c canceller
		s := &slowServer{takes: time.Millisecond}
		began := time.Now()
		s.givesUp(&c, no)
		s.givesUp(&c, func() bool { return time.Since(began) >= 10*time.Millisecond })
		time.Sleep(time.Minute)
		synctest.Wait()
		assert.Equal(t, 4+1, s.sent)
		assert.Equal(t, binds.CancelStats{Asked: 2}, c.counts())
		assert.Empty(t, c.resting)
		assert.Zero(t, c.asking)
		c.close()
	})
}

// What is given up while a server does not answer is bounded, in connections and in memory; nobody waits, and what was not
// asked for in time is told.
func TestCanceller_isBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c canceller
		s := &slowServer{takes: time.Hour}
		began := time.Now()
		for range 3 * maxGivenUp {
			s.givesUp(&c, no)
		}
		assert.Zero(t, time.Since(began))
		synctest.Wait()
		assert.Equal(t, maxCancels, s.sent)
		assert.EqualValues(t, 2*maxGivenUp, c.counts().Dropped)
		time.Sleep(cancelTimeout / 2)
		synctest.Wait()
		c.close()
		assert.Equal(t, cancelTimeout*3/2, time.Since(began), "closing waits no longer than for one request")
		assert.Equal(t, binds.CancelStats{Dropped: 3 * maxGivenUp}, c.counts())
		assert.Equal(t, maxCancels, s.sent)
	})
}

// What waits for too long is dropped: who wanted it stopped has gone long ago.
func TestCanceller_dropsWhatIsLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c canceller
		s := &slowServer{takes: cancelTimeout + time.Second}
		for range maxCancels + 3 {
			s.givesUp(&c, no)
		}
		time.Sleep(cancelTimeout + time.Second)
		synctest.Wait()
		assert.Equal(t, maxCancels, s.sent)
		assert.Equal(t, binds.CancelStats{Asked: maxCancels, Dropped: 3}, c.counts())
		c.close()
	})
}

// Repetitions make room for what was not asked for yet, and come after it.
func TestCanceller_firstRequestsGoFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c canceller
		s := &slowServer{takes: time.Millisecond}
		for range maxGivenUp {
			s.givesUp(&c, no)
		}
		time.Sleep(40*time.Millisecond + 10*time.Microsecond) // all were asked for, and most are so again
		synctest.Wait()
		before := s.sent
		require.Greater(t, before, maxGivenUp)
		for range maxGivenUp / 2 {
			s.givesUp(&c, no)
		}
		time.Sleep(time.Duration(maxGivenUp/2/maxCancels+1)*time.Millisecond + 10*time.Microsecond)
		synctest.Wait()
		assert.EqualValues(t, maxGivenUp*3/2, c.counts().Asked, "no repetition came between")
		assert.Zero(t, c.counts().Dropped)
		assert.Equal(t, maxCancels, s.most)
		c.close()
		sent := s.sent
		time.Sleep(time.Minute)
		assert.Equal(t, sent, s.sent, "nothing is repeated after closing")
	})
}

// What is given up after closing is asked for once.
func TestCanceller_afterClosing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c canceller
		s := &slowServer{takes: time.Millisecond}
		c.close()
		s.givesUp(&c, no)
		c.close()
		assert.Equal(t, 1, s.sent)
		time.Sleep(time.Minute)
		assert.Equal(t, 1, s.sent)
		c.close()
	})
}

// What is being asked for when the connector closes is not asked for again.
func TestCanceller_closesWhileItAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c canceller
		s := &slowServer{takes: time.Second}
		s.givesUp(&c, no)
		synctest.Wait()
		s.mu.Lock()
		assert.Equal(t, 1, s.open)
		s.mu.Unlock()
		c.close()
		c.mu.Lock()
		assert.Empty(t, c.resting)
		c.mu.Unlock()
		time.Sleep(time.Minute)
		synctest.Wait()
		assert.Equal(t, 1, s.sent)
	})
}
