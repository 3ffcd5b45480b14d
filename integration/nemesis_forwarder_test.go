package integration_test

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/integration"
)

// A forwarder is an address in front of a server that can be moved to another one, as a failover
// moves the address of a primary. Connections through it end when it is moved.
type forwarder struct {
	listener net.Listener
	running  sync.WaitGroup

	mu     sync.Mutex // guards the rest
	target string     // "" refuses everybody
	turns  []string   // those that target is, one connection each; nil: it stays
	open   map[net.Conn]struct{}
	closed bool
}

func newForwarder(t *testing.T, target string) *forwarder {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	f := &forwarder{listener: l, target: target, open: make(map[net.Conn]struct{})}
	f.running.Go(f.accept)
	t.Cleanup(f.close)
	return f
}

// uri returns the address of a server's URI replaced by the forwarder's.
func (f *forwarder) uri(s *integration.Server) string {
	return strings.Replace(s.URI(), s.Addr(), f.listener.Addr().String(), 1)
}

// move leads new connections to target, and breaks those that lead elsewhere. No target refuses.
func (f *forwarder) move(target string) {
	f.lead(target)
	f.cut()
}

// lead leads new connections to target, and leaves the others, as a name does that is changed.
func (f *forwarder) lead(target string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.target = target
}

// takeTurns leads each new connection to another one of some servers, as a balancer does.
func (f *forwarder) takeTurns(targets ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.turns = targets
}

// cut breaks all connections, as a middlebox does that has lost its memory.
func (f *forwarder) cut() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for conn := range f.open {
		reset(conn)
	}
}

// ends returns how many ends of connections are open.
func (f *forwarder) ends() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.open)
}

func (f *forwarder) close() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	_ = f.listener.Close() // ends accept, which is waited for
	f.cut()
	f.running.Wait()
}

func (f *forwarder) accept() {
	for {
		conn, err := f.listener.Accept()
		if err != nil {
			return
		}
		f.running.Go(func() { f.forward(conn) })
	}
}

func (f *forwarder) forward(down net.Conn) {
	defer reset(down)
	f.mu.Lock()
	if len(f.turns) > 0 {
		f.target, f.turns = f.turns[0], append(f.turns[1:len(f.turns):len(f.turns)], f.turns[0])
	}
	target := f.target
	f.mu.Unlock()
	if target == "" {
		return
	}
	up, err := net.DialTimeout("tcp", target, time.Second)
	if err != nil {
		return
	}
	defer reset(up)
	if !f.keep(target, down, up) {
		return
	}
	defer f.forget(down, up)
	var back sync.WaitGroup
	back.Go(func() {
		_, _ = io.Copy(down, up) // either end may break: that is its purpose
		reset(down)
	})
	_, _ = io.Copy(up, down)
	reset(up)
	back.Wait()
}

// keep notes the two ends of a connection, unless the address was moved meanwhile.
func (f *forwarder) keep(target string, conns ...net.Conn) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed || f.target != target && f.turns == nil {
		return false
	}
	for _, conn := range conns {
		f.open[conn] = struct{}{}
	}
	return true
}

func (f *forwarder) forget(conns ...net.Conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, conn := range conns {
		delete(f.open, conn)
	}
}

// reset ends a connection by RST where the system knows how.
func reset(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // without it the other side sees an orderly end
	}
	_ = conn.Close() // it may be closed already
}

func TestForwarder(t *testing.T) {
	echo := func(name string) string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		var running sync.WaitGroup
		running.Go(func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				running.Go(func() {
					_, _ = io.WriteString(conn, name) // the test reads it
					_, _ = io.Copy(io.Discard, conn)  // until the other side ends
					_ = conn.Close()
				})
			}
		})
		t.Cleanup(func() { _ = l.Close(); running.Wait() })
		return l.Addr().String()
	}
	f := newForwarder(t, echo("a"))
	dial := func() (net.Conn, string) {
		conn, err := net.Dial("tcp", f.listener.Addr().String())
		if err != nil { // refused, or reset before it was ready
			return nil, ""
		}
		t.Cleanup(func() { _ = conn.Close() })
		name := make([]byte, 1)
		if _, err := io.ReadFull(conn, name); err != nil {
			return conn, ""
		}
		return conn, string(name)
	}
	conn, name := dial()
	require.Equal(t, "a", name)

	f.move(echo("b"))
	_, err := conn.Read(make([]byte, 1))
	require.Error(t, err, "the old connection is broken")
	_, name = dial()
	assert.Equal(t, "b", name)

	f.move("")
	_, name = dial()
	assert.Empty(t, name, "nobody answers")
}
