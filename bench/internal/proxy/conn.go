package proxy

import (
	"bufio"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// A conn is one connection of a client, led on to the server.
type conn struct {
	p    *Proxy
	down net.Conn
	done chan struct{} // closed when the connection has ended

	// asked says that a statement was sent whose answer has not begun.
	asked atomic.Bool

	mu    sync.Mutex // guards the rest
	up    net.Conn   // nil until the server was reached
	ended bool
}

func newConn(p *Proxy, down net.Conn) *conn {
	return &conn{p: p, down: down, done: make(chan struct{})}
}

// lead notes the connection to the server, and closes it if the client's has ended meanwhile.
func (c *conn) lead(up net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		_ = up.Close()
		return false
	}
	c.up = up
	return true
}

// run forwards both ways until either ends.
func (c *conn) run() {
	var back sync.WaitGroup
	answers := make(chan chunk, chunksUnderway)
	back.Go(func() {
		defer close(answers)
		c.receive(answers)
	})
	back.Go(func() {
		c.deliver(answers)
		c.end(false)
	})
	if err := c.send(); err == io.EOF {
		c.end(false) // an orderly end, after all that was said
	} else {
		c.end(true)
	}
	back.Wait()
}

// end closes both ends, once; by RST if it was a break, where the system knows how.
func (c *conn) end(broken bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return
	}
	c.ended = true
	close(c.done)
	for _, conn := range []net.Conn{c.down, c.up} {
		if tcp, ok := conn.(*net.TCPConn); ok && broken {
			_ = tcp.SetLinger(0) // without it the other side sees an orderly end
		}
		if conn != nil {
			_ = conn.Close()
		}
	}
}

func (c *conn) cut() { c.end(true) }

// send forwards what the client says, each statement in its turn.
func (c *conn) send() error {
	from := bufio.NewReaderSize(c.down, readAhead)
	to := bufio.NewWriterSize(gated{c, c.up}, readAhead)
	frames := c.p.frames(gated{c, c.down})
	for {
		size, statement, err := frames.next(from)
		if err != nil {
			return err
		}
		if statement {
			err = c.statement(from, to, size)
		}
		if err == nil {
			_, err = io.CopyN(to, from, size)
		}
		if err == nil && from.Buffered() == 0 {
			err = to.Flush()
		}
		if err != nil {
			return err
		}
	}
}

// statement waits for the turn of a statement and counts it.
func (c *conn) statement(from *bufio.Reader, to *bufio.Writer, size int64) error {
	if err := to.Flush(); err != nil {
		return err
	}
	head, err := from.Peek(int(min(size, headSize)))
	if err != nil {
		return err
	}
	if !c.await(c.p.turns.take(time.Now())) {
		return net.ErrClosed
	}
	c.p.count(head)
	c.asked.Store(true)
	return nil
}

const (
	readAhead      = 16 << 10
	headSize       = 4 << 10
	chunksUnderway = 256
)

// A chunk is a part of what the server said, and when it is due.
type chunk struct {
	bytes []byte
	due   time.Time
}

// receive reads what the server says and when each part of it is due.
func (c *conn) receive(answers chan<- chunk) {
	buf := make([]byte, 32<<10)
	for {
		n, err := c.up.Read(buf)
		if n > 0 {
			late := time.Duration(c.p.lag.Load())
			if c.asked.Swap(false) {
				late += time.Duration(c.p.delay.Load())
			}
			select {
			case answers <- chunk{append([]byte(nil), buf[:n]...), time.Now().Add(late)}:
			case <-c.done:
				return
			}
		}
		if err == io.EOF {
			return
		}
		if err != nil {
			c.cut()
			return
		}
	}
}

// deliver hands what the server said on to the client when it is due.
func (c *conn) deliver(answers <-chan chunk) {
	to := gated{c, c.down}
	for a := range answers {
		if !c.await(a.due) {
			break
		}
		if _, err := to.Write(a.bytes); err != nil {
			c.cut()
			break
		}
	}
	for range answers { // receive ends by itself, because the connection has ended
	}
}

// await returns true at the given time, and false if the connection ends before.
func (c *conn) await(at time.Time) bool {
	wait := time.Until(at)
	if wait <= 0 {
		return true
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-c.done:
		return false
	}
}

// gated writes to one end of a connection while the proxy is not frozen.
type gated struct {
	c  *conn
	to net.Conn
}

func (g gated) Write(b []byte) (int, error) {
	if !g.c.p.gate.pass(g.c.done) {
		return 0, net.ErrClosed
	}
	return g.to.Write(b)
}
