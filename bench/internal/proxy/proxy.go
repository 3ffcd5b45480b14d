// Package proxy stands between a database server and its clients, on a loopback port, and decides
// how the server appears to them: how many statements a second it can do, how late it answers,
// whether it hangs. It reads so much of PostgreSQL's and MySQL's protocols as tells statements apart,
// and changes nothing of what is said.
package proxy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/uptrace/bun/dialect"
)

// A Proxy is an address that leads to a server. It is safe for concurrent use.
//
// It does not speak TLS, which would hide the statements: a PostgreSQL client is told that there is
// none, a MySQL client that begins it loses its connection.
type Proxy struct {
	target   string
	frames   func(answer io.Writer) framing
	listener net.Listener
	running  sync.WaitGroup

	turns      turns
	gate       gate
	delay, lag atomic.Int64 // nanoseconds
	statements atomic.Int64
	watched    atomic.Int64
	watch      atomic.Pointer[[]byte]

	mu     sync.Mutex // guards the rest
	open   map[*conn]struct{}
	closed bool
}

// New returns a proxy before the server at target, which speaks the protocol of d: [dialect.PG] or
// [dialect.MySQL]. The server need not be there yet: a client that comes too early loses its
// connection. Close the proxy when done.
func New(target string, d dialect.Name) (*Proxy, error) {
	p := &Proxy{target: target, open: make(map[*conn]struct{})}
	switch d {
	case dialect.PG:
		p.frames = func(answer io.Writer) framing { return &postgres{answer: answer} }
	case dialect.MySQL:
		p.frames = func(io.Writer) framing { return &mysql{} }
	default:
		return nil, fmt.Errorf("proxy: no protocol for %v", d)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	p.listener = l
	p.running.Go(p.accept)
	return p, nil
}

// Addr returns where the proxy listens, as in "127.0.0.1:40123".
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Limit lets perSecond statements a second through to the server, in the order in which they come; the
// others wait. The turns are points in time, so a late timer costs one statement a moment and the
// throughput nothing. Zero is no limit. A statement that waits already keeps its turn.
func (p *Proxy) Limit(perSecond float64) { p.turns.limit(perSecond) }

// Delay makes the answer to each statement come d later, and no other statement wait for that. Zero
// ends it.
func (p *Proxy) Delay(d time.Duration) { p.delay.Store(int64(d)) }

// Lag makes every byte from the server come d later, at full speed: a replica that follows its primary
// through the proxy trails it by d. Zero ends it.
func (p *Proxy) Lag(d time.Duration) { p.lag.Store(int64(d)) }

// Freeze stops the bytes in both directions, as a server does that hangs: connections stay, new ones
// are accepted and hear nothing. Bytes on their way may still arrive.
func (p *Proxy) Freeze() { p.gate.shut() }

// Thaw lets go on what [Proxy.Freeze] stopped. Nothing is lost.
func (p *Proxy) Thaw() { p.gate.reopen() }

// Statements returns how many statements have been sent to the server: PostgreSQL's Query and Execute
// messages, MySQL's COM_QUERY and COM_STMT_EXECUTE.
func (p *Proxy) Statements() int64 { return p.statements.Load() }

// Watch counts, from zero and from now on, the statements that hold text in their first 4 kB. A prepared
// statement that is executed does not show its text.
func (p *Proxy) Watch(text string) {
	b := []byte(text)
	p.watch.Store(&b)
	p.watched.Store(0)
}

// Watched returns how many statements held the text of [Proxy.Watch]. They count as Statements, too.
func (p *Proxy) Watched() int64 { return p.watched.Load() }

// Cut breaks all connections, as a server does that is killed. New ones are possible.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.open {
		c.cut()
	}
}

// Close breaks all connections and refuses new ones. It may be called twice.
func (p *Proxy) Close() error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	err := p.listener.Close()
	p.Cut()
	p.running.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func (p *Proxy) accept() {
	for {
		down, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.running.Go(func() { p.serve(down) })
	}
}

func (p *Proxy) serve(down net.Conn) {
	c := newConn(p, down)
	defer c.cut()
	if !p.keep(c) {
		return
	}
	defer p.forget(c)
	up, err := net.DialTimeout("tcp", p.target, dialTimeout)
	if err != nil || !c.lead(up) {
		return
	}
	c.run()
}

const dialTimeout = 5 * time.Second

// keep notes a connection, unless the proxy is closed.
func (p *Proxy) keep(c *conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.open[c] = struct{}{}
	}
	return !p.closed
}

func (p *Proxy) forget(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, c)
}

// count notes a statement that begins with head.
func (p *Proxy) count(head []byte) {
	p.statements.Add(1)
	if text := p.watch.Load(); text != nil && bytes.Contains(head, *text) {
		p.watched.Add(1)
	}
}
