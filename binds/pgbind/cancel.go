package pgbind

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"time"
)

// cancelTimeout bounds a cancel request, from dialling to the server's closing.
const cancelTimeout = 5 * time.Second

// cancelPauses are the times before each request for one statement. The first request is nearly always
// obeyed; the second still comes within the grace.
var cancelPauses = []time.Duration{0, 15 * time.Millisecond, 150 * time.Millisecond, 600 * time.Millisecond}

// requests are the cancel requests of a connector that are under way. Unlike a sync.WaitGroup it
// may be waited for while others start. Its zero value is ready.
type requests struct {
	mu    sync.Mutex // guards the rest
	n     int
	none  chan struct{} // closed once n is zero; nil: nobody waits
	hurry chan struct{} // closed when somebody waits; nil: nothing is under way, or somebody waits
}

// start runs do on a goroutine of its own. Hurry is closed when somebody waits for its end.
func (r *requests) start(do func(hurry <-chan struct{})) {
	r.mu.Lock()
	r.n++
	hurry := r.hurry
	if hurry == nil {
		hurry = make(chan struct{})
		if r.none == nil {
			r.hurry = hurry
		} else {
			close(hurry) // somebody waits already
		}
	}
	r.mu.Unlock()
	go func() {
		do(hurry)
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.n--; r.n == 0 && r.none != nil {
			close(r.none)
			r.none = nil
		}
	}()
}

// sleep reports whether d passed before somebody hurried.
func (*requests) sleep(d time.Duration, hurry <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-hurry:
		return false
	}
}

// wait returns once none is under way.
func (r *requests) wait() {
	r.mu.Lock()
	if r.n == 0 {
		r.mu.Unlock()
		return
	}
	if r.none == nil {
		r.none = make(chan struct{})
	}
	if r.hurry != nil {
		close(r.hurry)
		r.hurry = nil
	}
	none := r.none
	r.mu.Unlock()
	<-none
}

// cancel asks the server at peer to stop what session pid does, over a connection of its own
// (manual section 55.2.8). It is a request: no answer comes, and a failure leaves the statement running.
func (s *settings) cancel(peer net.Addr, pid, key uint32) error {
	ctx, stop := context.WithTimeout(context.Background(), cancelTimeout)
	defer stop()
	network, address := peer.Network(), peer.String()
	if network == "unix" {
		address = s.address
	}
	c, err := s.dial(ctx, network, address)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }() // nothing is buffered
	deadline, _ := ctx.Deadline()
	if err := c.SetDeadline(deadline); err != nil {
		return err
	}
	stream, err := s.encrypt(c)
	if err != nil {
		return err
	}
	var request [16]byte
	binary.BigEndian.PutUint32(request[:], uint32(len(request)))
	binary.BigEndian.PutUint32(request[4:], codeCancel)
	binary.BigEndian.PutUint32(request[8:], pid)
	binary.BigEndian.PutUint32(request[12:], key)
	if _, err := stream.Write(request[:]); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, stream) // the server closes once it has passed the request on
	return err
}
