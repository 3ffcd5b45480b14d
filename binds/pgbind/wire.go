package pgbind

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"time"
)

// A wire is the connection as pgdriver sees it: plain protocol over a socket, perhaps through TLS,
// with a tap on it.
type wire struct {
	tap
	socket *socket
	stream net.Conn // the socket, or TLS over it
	poll   poller

	startup []parameter // to be put into the start-up message; nil: done
	instead []byte      // to be sent in place of pgdriver's next message; nil: that
	ahead   []byte      // received, not yet read by pgdriver
	buf     []byte      // what ahead points into
	written int         // bytes of the statement under way
	failed  bool        // a write of the statement under way failed
	quiet   bool        // the statement's caller sees failed, so that pgdriver need not be told
}

// finish ends the statement for a caller who uses deadlines of its own from here on.
func (w *wire) finish() {
	w.socket.finish()
	w.socket.untime()
}

// begin starts a statement that ends with ctx, and tells the server to stop it then if tell.
func (w *wire) begin(ctx context.Context, tell bool) error {
	w.written, w.failed, w.bound = 0, false, false
	w.answer.begin()
	w.instead = nil
	return w.socket.begin(ctx, tell)
}

func (w *wire) Read(p []byte) (int, error) {
	if len(w.ahead) > 0 {
		n := copy(p, w.ahead)
		w.ahead = w.ahead[n:]
		return n, nil
	}
	if !w.loggedIn {
		return w.readLogin(p)
	}
	if w.on && len(p) < 2*len(noColumns) {
		return w.readAhead(p)
	}
	for {
		room := p
		if w.on {
			room = p[:len(p)-len(noColumns)]
		}
		n, err := w.stream.Read(room)
		n = len(w.filter(p[:n]))
		if w.refusal != nil {
			return 0, w.refusal
		}
		if w.owed == 0 && w.socket.isDoomed() {
			w.socket.answered.Store(true)
		}
		if w.copyIn && err == nil {
			w.copyIn = false
			_, err = w.stream.Write(w.copyFail())
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// readLogin reads whole messages of the log-in: pgdriver sees none before all of it was judged.
func (w *wire) readLogin(p []byte) (int, error) {
	var all []byte
	b := make([]byte, lookAhead)
	for len(all) == 0 || !w.loggedIn && (w.left > 0 || w.seen > 0) {
		n, err := w.stream.Read(b)
		w.received(b[:n])
		all = append(all, b[:n]...)
		switch {
		case w.refusal != nil:
			return 0, w.refusal
		case err != nil:
			return 0, err
		}
	}
	n := copy(p, all)
	w.ahead = all[n:]
	return n, nil
}

// readAhead reads more than p has room for.
func (w *wire) readAhead(p []byte) (int, error) {
	if w.buf == nil {
		w.buf = make([]byte, lookAhead)
	}
	n, err := w.Read(w.buf)
	copied := copy(p, w.buf[:n])
	w.ahead = w.buf[copied:n]
	return copied, err
}

// Write sends whole messages. Where nothing of them was sent, a quiet wire claims one byte:
// otherwise pgdriver would report the failure on the standard error of the process.
func (w *wire) Write(p []byte) (int, error) {
	if w.startup != nil {
		return w.writeStartup(p)
	}
	if err := w.admit(p); err != nil {
		w.failed = true
		return len(p), err // a zero would be told on the standard error
	}
	message := p
	if w.instead != nil {
		message, w.instead = w.instead, nil
	}
	w.tap.sent(message)
	n, err := w.stream.Write(message)
	w.written += n
	if err != nil {
		w.failed = true
		if w.quiet {
			n = max(n, 1)
		}
	}
	return n, err
}

// writeStartup adds w.startup to the start-up message p: its length, the protocol's version, and
// names and values that end with a zero byte each, an empty name being the end (manual section 55.7).
func (w *wire) writeStartup(p []byte) (int, error) {
	m := append([]byte(nil), p[:len(p)-1]...)
	for _, s := range w.startup {
		m = append(append(append(append(m, s.name...), 0), s.value...), 0)
	}
	m = append(m, 0)
	binary.BigEndian.PutUint32(m, uint32(len(m)))
	w.startup, w.owed = nil, 1
	if _, err := w.stream.Write(m); err != nil {
		return 1, err
	}
	return len(p), nil
}

// lookAhead is how much is read of what the server sends of its own accord.
const lookAhead = 4096

// wait is how long look waits for the rest of a message that has begun to arrive.
const wait = 20 * time.Millisecond

// look reports whether the idle session is alive, as far as can be told without a round trip: it
// reads what the server has sent of its own accord. Notices and changed settings are no matter.
func (w *wire) look() error {
	w.socket.untime()
	for w.poll.readable() {
		if w.buf == nil {
			w.buf = make([]byte, lookAhead)
		}
		room := len(w.buf) - len(noColumns)
		if len(w.ahead) >= room {
			return nil // pgdriver will find out
		}
		n := copy(w.buf, w.ahead)
		_ = w.socket.SetReadDeadline(time.Now().Add(wait))
		more, err := w.stream.Read(w.buf[n:room])
		_ = w.socket.SetReadDeadline(time.Time{})
		w.ahead = w.buf[:n+len(w.filter(w.buf[n:n+more]))]
		if w.dead || w.notified {
			return errClosing
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// said returns what an error says that the server has sent of its own accord and that nobody has read yet: severity, message
// and SQLSTATE (manual section 55.8); "" if there is none.
func (w *wire) said() string {
	for b := w.ahead; len(b) >= headerLen; {
		size := 1 + int(binary.BigEndian.Uint32(b[1:]))
		if size < headerLen || size > len(b) {
			return ""
		}
		if b[0] == msgError {
			fields := map[byte]string{}
			for field := range bytes.SplitSeq(b[headerLen:size], []byte{0}) {
				if len(field) > 0 {
					fields[field[0]] = string(field[1:])
				}
			}
			return fmt.Sprintf("%s: %s (SQLSTATE=%s)", fields['S'], fields['M'], fields['C'])
		}
		b = b[size:]
	}
	return ""
}

// Close says goodbye to the server where that cannot take long.
func (w *wire) Close() error {
	if w.owed != 0 || w.dead || w.socket.isDoomed() {
		if err := w.socket.Conn.Close(); !errors.Is(err, net.ErrClosed) { // interrupted
			return err
		}
		return nil
	}
	_ = w.socket.Conn.SetDeadline(time.Now().Add(wait))
	_, _ = w.stream.Write([]byte{msgTerminate, 0, 0, 0, 4}) // a courtesy
	err := w.stream.Close()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil // the goodbye of TLS found no room; the connection is closed
	}
	return err
}

func (w *wire) LocalAddr() net.Addr                { return w.socket.LocalAddr() }
func (w *wire) RemoteAddr() net.Addr               { return w.socket.RemoteAddr() }
func (w *wire) SetDeadline(t time.Time) error      { return w.socket.SetDeadline(t) }
func (w *wire) SetReadDeadline(t time.Time) error  { return w.socket.SetReadDeadline(t) }
func (w *wire) SetWriteDeadline(t time.Time) error { return w.socket.SetWriteDeadline(t) }
