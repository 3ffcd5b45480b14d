package scale

import (
	"net"
	"sync"
	"sync/atomic"
)

// A door is an address where a server could be. It counts who knocks, and lets nobody in.
type door struct {
	listener net.Listener
	knocked  atomic.Int64
	running  sync.WaitGroup
}

func listen() (*door, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	d := &door{listener: l}
	d.running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			d.knocked.Add(1)
			_ = c.Close() // nothing was said
		}
	})
	return d, nil
}

func (d *door) addr() string { return d.listener.Addr().String() }

// knocks returns how many connections were made.
func (d *door) knocks() int { return int(d.knocked.Load()) }

func (d *door) close() error {
	err := d.listener.Close()
	d.running.Wait()
	return err
}
