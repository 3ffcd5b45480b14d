package proxy

import (
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun/dialect"
)

func TestNewKnowsTwoProtocols(t *testing.T) {
	_, err := New("127.0.0.1:1", dialect.SQLite)
	require.Error(t, err)
}

func TestTurns(t *testing.T) {
	at := func(ms int) time.Time { return time.UnixMilli(int64(ms)) }
	var s turns
	assert.Equal(t, at(5), s.take(at(5)), "no limit")
	s.limit(100)
	assert.Equal(t, at(5), s.take(at(5)))
	assert.Equal(t, at(15), s.take(at(5)))
	assert.Equal(t, at(25), s.take(at(6)), "behind the one before")
	assert.Equal(t, at(50), s.take(at(50)), "an idle server saves nothing up")
	assert.Equal(t, at(60), s.take(at(59)))
	s.limit(1000)
	assert.Equal(t, at(70), s.take(at(61)), "the turn before still takes its time")
	assert.Equal(t, at(71), s.take(at(61)))
	s.limit(0)
	assert.Equal(t, at(61), s.take(at(61)))
}

// A rig is a proxy in a bubble where time costs nothing, with clients of a server that answers each
// statement with one byte at once.
type rig struct {
	*Proxy
	t *testing.T
}

func inBubble(t *testing.T, test func(t *testing.T, r rig)) {
	synctest.Test(t, func(t *testing.T) {
		p := &Proxy{frames: func(w io.Writer) framing { return &postgres{answer: w} }, open: map[*conn]struct{}{}}
		test(t, rig{p, t})
		p.Cut()
		synctest.Wait()
	})
}

// connect returns a client's connection that has logged in.
func (r rig) connect() net.Conn {
	client, down := net.Pipe()
	up, server := net.Pipe()
	c := newConn(r.Proxy, down)
	require.True(r.t, c.lead(up))
	r.keep(c)
	go c.run()
	go serve(server)
	_, err := client.Write(pgLogin())
	require.NoError(r.t, err)
	synctest.Wait() // the login has arrived
	return client
}

// serve answers each Query with what it was asked, and breaks off at the end.
func serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	login := make([]byte, len(pgLogin()))
	if _, err := io.ReadFull(conn, login); err != nil {
		return
	}
	for {
		query := make([]byte, len(pgMessage('Q', "?")))
		if _, err := io.ReadFull(conn, query); err != nil {
			return
		}
		if _, err := conn.Write(query[5:]); err != nil {
			return
		}
	}
}

// ask sends a statement and returns how long the answer took.
func (r rig) ask(client net.Conn, what string) time.Duration {
	start := time.Now()
	_, err := client.Write(pgMessage('Q', what))
	require.NoError(r.t, err)
	answer := make([]byte, 1)
	_, err = io.ReadFull(client, answer)
	require.NoError(r.t, err)
	require.Equal(r.t, what, string(answer))
	return time.Since(start)
}

func TestLimit(t *testing.T) {
	inBubble(t, func(t *testing.T, r rig) {
		r.Limit(100)
		const clients, each = 5, 4
		start, done := time.Now(), make(chan struct{})
		for range clients {
			client := r.connect()
			go func() {
				for range each {
					r.ask(client, "a")
				}
				done <- struct{}{}
			}()
		}
		for range clients {
			<-done
		}
		assert.Equal(t, (clients*each-1)*10*time.Millisecond, time.Since(start), "the first one comes at once")
		assert.EqualValues(t, clients*each, r.Statements())
		r.Limit(0)
		time.Sleep(time.Second)
		assert.Zero(t, r.ask(r.connect(), "a"))
	})
}

func TestDelay(t *testing.T) {
	inBubble(t, func(t *testing.T, r rig) {
		r.Delay(50 * time.Millisecond)
		start, done := time.Now(), make(chan struct{})
		for range 10 {
			client := r.connect()
			go func() {
				assert.Equal(t, 50*time.Millisecond, r.ask(client, "a"))
				done <- struct{}{}
			}()
		}
		for range 10 {
			<-done
		}
		assert.Equal(t, 50*time.Millisecond, time.Since(start), "no statement waits for another's delay")
		r.Delay(0)
		assert.Zero(t, r.ask(r.connect(), "a"))
	})
}

// What a lagging server says without being asked, such as a primary its log, comes late but not slowly.
func TestLag(t *testing.T) {
	inBubble(t, func(t *testing.T, r rig) {
		r.Lag(100 * time.Millisecond)
		client, down := net.Pipe()
		up, server := net.Pipe()
		c := newConn(r.Proxy, down)
		require.True(t, c.lead(up))
		r.keep(c)
		go c.run()
		start := time.Now()
		go func() {
			for i := range 10 {
				_, _ = server.Write([]byte{byte(i)})
				time.Sleep(10 * time.Millisecond)
			}
		}()
		for i := range 10 {
			got := make([]byte, 1)
			_, err := io.ReadFull(client, got)
			require.NoError(t, err)
			assert.Equal(t, byte(i), got[0])
			assert.Equal(t, 100*time.Millisecond+time.Duration(i)*10*time.Millisecond, time.Since(start))
		}
	})
}

func TestFreeze(t *testing.T) {
	inBubble(t, func(t *testing.T, r rig) {
		client, late := r.connect(), r.connect()
		r.ask(client, "a")
		r.Freeze()
		r.Freeze()
		time.AfterFunc(time.Minute, r.Thaw)
		assert.Equal(t, time.Minute, r.ask(client, "b"), "the question waits")
		assert.Zero(t, r.ask(client, "c"))

		// A question has reached the server, whose answer waits.
		r.Delay(time.Second)
		time.AfterFunc(500*time.Millisecond, r.Freeze)
		time.AfterFunc(time.Minute, r.Thaw)
		assert.Equal(t, time.Minute, r.ask(late, "d"))
	})
}

func TestCutBreaksWhateverWaits(t *testing.T) {
	for name, slow := range map[string]func(*Proxy){
		"nothing": func(*Proxy) {},
		"turn":    func(p *Proxy) { p.Limit(1.0 / 3600); p.turns.take(time.Now()) },
		"answer":  func(p *Proxy) { p.Delay(time.Hour) },
		"frozen":  func(p *Proxy) { p.Freeze() },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, r rig) {
				client := r.connect()
				slow(r.Proxy)
				if name != "nothing" {
					_, err := client.Write(pgMessage('Q', "a"))
					require.NoError(t, err)
				}
				synctest.Wait()
				r.Cut()
				_, err := client.Read(make([]byte, 1))
				require.ErrorIs(t, err, io.EOF)
			})
		})
	}
}

func TestWatch(t *testing.T) {
	inBubble(t, func(t *testing.T, r rig) {
		client := r.connect()
		r.ask(client, "a")
		r.Watch("a")
		r.ask(client, "a")
		r.ask(client, "b")
		r.ask(client, "a")
		assert.EqualValues(t, 2, r.Watched())
		assert.EqualValues(t, 4, r.Statements())
	})
}

func TestServerThatIsNotThere(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	p, err := New(l.Addr().String(), dialect.PG)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	client, err := net.Dial("tcp", p.Addr())
	if err == nil { // else the reset was faster
		defer func() { _ = client.Close() }()
		_, err = client.Read(make([]byte, 1))
	}
	require.Error(t, err)
	require.NoError(t, p.Close())
	_, err = net.Dial("tcp", p.Addr())
	require.Error(t, err, "closed")
}
