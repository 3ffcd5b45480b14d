package bindtest

import (
	"context"
	"database/sql/driver"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bindery-go/bindery/binds"
)

// Positions says what the promises of a [binds.Positioner] are checked with. The replica is the server
// of the first of Harness.Readers. URIs are of the scheme of Harness.Writer.
type Positions struct {
	// Ways are other URIs of Writer's server, such as that of its socket. May be empty.
	Ways []string
	// Loads are the settings under which freshness is checked. Empty: the servers as they are.
	Loads []Load

	// Pause makes the replica receive the primary's writes without showing them, until Resume. Both
	// are required, and Resume is called of a replica that is not paused, too.
	Pause, Resume func(ctx context.Context) error
	// Received reports whether the paused replica has received what a primary at p had written.
	// Required.
	Received func(ctx context.Context, p binds.Position) (bool, error)
	// Crash ends the replica as a power cut would, and starts it again. What then keeps the server
	// is no leak. Required.
	Crash func(ctx context.Context) error
}

// A Load is a setting of servers or sessions under which freshness is checked while others write.
type Load struct {
	Reason string             // the subtest's name
	Writer string             // URI of the writer. Empty: Harness.Writer
	Setup  func(t *testing.T) // sets the servers, and undoes that at the test's end. May be nil
	Checks int                // how often a reader is compared. Zero: 300
}

// lacksPositions tells of each field that the promises about positions need whether it is missing.
func (h *Harness) lacksPositions() map[string]bool {
	p := h.Positions
	if p == nil {
		_, has := h.Driver.(binds.Positioner)
		return map[string]bool{"Positions": has}
	}
	return map[string]bool{
		"Readers":            len(h.Readers) == 0,
		"Positions.Pause":    p.Pause == nil,
		"Positions.Resume":   p.Resume == nil,
		"Positions.Received": p.Received == nil,
		"Positions.Crash":    p.Crash == nil,
	}
}

// positions checks what [binds.Positioner] promises.
func (s *suite) positions(t *testing.T) {
	by, has := s.Driver.(binds.Positioner)
	require.Equal(t, s.Positions != nil, has, "the harness says whether the driver is a Positioner")
	if !has {
		return
	}
	if probe(t, s.writer(t)).Peer {
		t.Run("equals", s.probeEquals)
		t.Run("any connection", func(t *testing.T) { s.probeAnyConnection(t, by) })
		return
	}
	t.Run("compare", func(t *testing.T) { s.comparePositions(t, by) })
	t.Run("paused replica", s.probePaused)
	t.Run("any connection", func(t *testing.T) { s.probeAnyConnection(t, by) })
	t.Run("crash", s.probeCrashed)
	s.freshness(t)
}

// replica opens a reader on the replica.
func (s *suite) replica(t *testing.T) *binds.Engine {
	t.Helper()
	return s.open(t, "bindtest/replica", s.Readers[0], binds.As(binds.Reader))
}

func probe(t *testing.T, e *binds.Engine) binds.Probe {
	t.Helper()
	p, err := e.Probe(ctx(t))
	require.NoError(t, err)
	return p
}

// AwaitCovered waits for the reader to cover what the writer has written by now. It asks again at
// once: a reader that says so a moment too early is to be caught.
func AwaitCovered(t *testing.T, w, r *binds.Engine) {
	t.Helper()
	at, c := probe(t, w), ctx(t)
	require.NoError(t, at.Doubt)
	for end := time.Now().Add(2 * patience); ; {
		p, err := r.Probe(c) // an error is a connection to a server that was restarted
		if err == nil && p.Doubt == nil && p.History == at.History && p.Position.Covers(at.Position) {
			return
		}
		require.True(t, time.Now().Before(end), "the reader does not cover %+v: %+v, %v", at, p, err)
	}
}

// probeEquals checks servers of which each proves itself: one that has answered a probe shows what was acknowledged before.
func (s *suite) probeEquals(t *testing.T) {
	w, r := s.writer(t), s.replica(t)
	s.table(t, w, "bindtest_probed", "writer INTEGER PRIMARY KEY, n INTEGER")
	exec(t, w, "INSERT INTO bindtest_probed VALUES (1, 0)")
	s.sync(t)
	atWriter, atReader := probe(t, w), probe(t, r)
	for _, p := range []binds.Probe{atWriter, atReader} {
		assert.True(t, p.Primary && p.Peer, "%+v", p)
		assert.NoError(t, p.Doubt)
		assert.Nil(t, p.Position)
	}
	assert.Equal(t, atWriter.History, atReader.History)
	assert.NotEqual(t, atWriter.Server, atReader.Server)
	for _, uri := range s.Positions.Ways {
		assert.Equal(t, atWriter.Server, probe(t, s.open(t, "bindtest/way", uri)).Server, "whatever the way to it")
	}
	for n := range 100 {
		exec(t, w, "UPDATE bindtest_probed SET n = "+strconv.Itoa(n))
		require.NoError(t, probe(t, r).Doubt)
		require.Equal(t, strconv.Itoa(n), value(t, r, "SELECT n FROM bindtest_probed"))
	}
}

func (s *suite) comparePositions(t *testing.T, by binds.Positioner) {
	w, r := s.writer(t), s.replica(t)
	s.table(t, w, "bindtest_probed", "writer INTEGER PRIMARY KEY, n INTEGER")
	s.sync(t)

	var atWriter, atReader binds.Probe
	s.eventually(t, func() bool {
		atWriter, atReader = probe(t, w), probe(t, r)
		// A primary writes a little by itself now and then.
		return assert.ObjectsAreEqual(atWriter, probe(t, w)) && atReader.Position.Covers(atWriter.Position)
	}, "nothing was written, and an idle primary is not ahead")
	assert.True(t, atWriter.Primary)
	assert.False(t, atReader.Primary)
	assert.NoError(t, atWriter.Doubt)
	assert.NoError(t, atReader.Doubt)
	assert.Equal(t, atWriter.History, atReader.History)
	assert.NotEqual(t, atWriter.Server, atReader.Server)
	assert.False(t, atReader.Position.Exceeds(atWriter.Position))

	parsed, err := by.ParsePosition(atWriter.Position.String())
	require.NoError(t, err)
	assert.Equal(t, atWriter.Position.String(), parsed.String())
	assert.True(t, parsed.Covers(atWriter.Position) && atWriter.Position.Covers(parsed), "the text stands for the position")
	assert.False(t, parsed.Exceeds(atWriter.Position) || atWriter.Position.Exceeds(parsed))
	for _, uri := range append([]string{s.Writer}, s.Positions.Ways...) {
		p := probe(t, s.open(t, "bindtest/way", uri))
		assert.Equal(t, atWriter.Server, p.Server, "whatever the way to it")
		assert.Equal(t, atWriter.History, p.History, "whatever the way to it")
	}
}

// What is received and not replayed is not covered.
func (s *suite) probePaused(t *testing.T) {
	w, r := s.writer(t), s.replica(t)
	s.table(t, w, "bindtest_probed", "writer INTEGER PRIMARY KEY, n INTEGER")
	AwaitCovered(t, w, r)
	t.Cleanup(func() { assert.NoError(t, s.Positions.Resume(cleanupCtx(t))) })
	require.NoError(t, s.Positions.Pause(ctx(t)))
	exec(t, w, "INSERT INTO bindtest_probed VALUES (1, 1)")
	at := probe(t, w)
	s.eventually(t, func() bool {
		received, err := s.Positions.Received(ctx(t), at.Position)
		require.NoError(t, err, "bindtest: the harness cannot tell what the replica has received")
		return received
	}, "the paused replica does not receive")
	assert.False(t, probe(t, r).Position.Covers(at.Position), "received is not replayed")
	assert.Equal(t, "0", value(t, r, "SELECT count(*) FROM bindtest_probed"), "bindtest: Pause does not pause")
	require.NoError(t, s.Positions.Resume(ctx(t)))
	AwaitCovered(t, w, r)
	assert.Equal(t, "1", value(t, r, "SELECT n FROM bindtest_probed"))
}

// A probe needs no more than a connection of the driver or a native one, and leaves it as it was.
func (s *suite) probeAnyConnection(t *testing.T, by binds.Positioner) {
	source, err := s.Driver.Open(ctx(t), s.Readers[0])
	require.NoError(t, err)
	for _, role := range []binds.Role{binds.Writer, binds.Reader} {
		connectors := []driver.Connector{source.Connector(role)}
		if native, ok := source.(binds.NativeSource); ok {
			connectors = append(connectors, native.NativeConnector(role))
		}
		for _, c := range connectors {
			conn, err := c.Connect(ctx(t))
			require.NoError(t, err)
			p, err := by.Probe(ctx(t), binds.AskConn(conn))
			require.NoError(t, err)
			assert.Equal(t, p.Peer, p.Primary, "an equal is a primary, too")
			if v, ok := conn.(driver.Validator); ok {
				assert.True(t, v.IsValid())
			}
			if r, ok := conn.(driver.SessionResetter); ok {
				assert.NoError(t, r.ResetSession(ctx(t)))
			}
			require.NoError(t, conn.Close())
		}
	}
}

// A server is another after a crash, of the same history. The replica is idle then: MariaDB gives a
// DROP TABLE that it finishes after a crash a GTID of its own, and replicates no more.
func (s *suite) probeCrashed(t *testing.T) {
	s.sync(t)
	before := s.probeReplica(t)
	assert.Equal(t, before.Server, s.probeReplica(t).Server, "as long as it runs")
	require.NoError(t, s.Positions.Crash(ctx(t)))
	s.servers = append(s.servers, goleak.IgnoreCurrent())
	after := s.probeReplica(t)
	assert.NotEqual(t, before.Server, after.Server)
	assert.Equal(t, before.History, after.History)
	s.sync(t)
}

// probeReplica probes by an engine of its own, and leaves nothing.
func (s *suite) probeReplica(t *testing.T) binds.Probe {
	t.Helper()
	e, err := s.drivers.Open(ctx(t), "bindtest/replica", s.Readers[0], binds.As(binds.Reader))
	require.NoError(t, err)
	p, err := e.Probe(ctx(t))
	require.NoError(t, errors.Join(err, e.Close()))
	return p
}
