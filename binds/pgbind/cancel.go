package pgbind

import (
	"context"
	"encoding/binary"
	"io"
	"net"
)

// cancel asks the server at peer to stop what session pid does, over a connection of its own. It is
// a request: no answer comes, and a failure leaves the statement running.
func (s *settings) cancel(ctx context.Context, peer net.Addr, pid, key uint32) error {
	ctx, stop := context.WithTimeout(ctx, cancelTimeout)
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
	defer context.AfterFunc(ctx, func() { _ = c.Close() })() // wakes up who reads or writes
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
	_, _ = io.Copy(io.Discard, stream) // the server closes once it has passed the request on, or resets what it did not expect
	return ctx.Err()
}
