package pgbind

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// Message types, manual section 55.7.
const (
	msgBackendKey    = 'K'
	msgError         = 'E'
	msgNotice        = 'N'
	msgNotification  = 'A'
	msgParameter     = 'S'
	msgReady         = 'Z'
	msgQuery         = 'Q'
	msgSync          = 'S'
	msgFunctionCall  = 'F'
	msgTerminate     = 'X'
	headerLen        = 5 // type and length
	statusIdle       = 'I'
	statusFailed     = 'E'
	longestParameter = 512
)

// A tap follows the messages of a connection as they pass, and keeps what pgdriver throws away. It
// looks at every message's header, and inside three kinds of messages only. It allocates only
// what is reported at log-in.
type tap struct {
	owed   int  // answers that the server has not finished
	status byte // of the transaction: idle, in one, or in a failed one
	dead   bool // the server ended the session or spoke out of turn
	bound  bool // the statement under way has begun to run, if it is a prepared one

	pid, key uint32 // for a cancel request; 0: none was given

	indirect      bool    // the server sees another client than this one: something stands between
	pgpool        bool    // Pgpool-II stands between, and leads all to the primary
	pooling       pooling // as the pooler reports it, or as its process ids show
	poolerVersion string  // "1.26.1"; "" if it is not reported
	session       string  // the latest that a statement was seen in, see sessions

	settings []setting // those that the server reports, as they were at log-in
	loggedIn bool
	differs  bool // one of them is another now

	belt     belief // default_transaction_read_only
	standby  belief // in_hot_standby
	unsafe   bool   // text is not what pgdriver takes it for
	notified bool   // a LISTEN of this session has a notification that pgdriver cannot read

	auth   // of the log-in
	answer // to the statement under way

	exact    bool // floats come with all their digits
	weakened bool // a writer's session on a standby, whose transactions are not SERIALIZABLE as they should be on a primary

	header [headerLen]byte
	seen   int // bytes of header
	kind   byte
	left   int // bytes of the body still to come
	body   [longestParameter]byte
	kept   int // bytes of body
}

// A setting is one of those that the server reports (manual section 55.2.7).
type setting struct {
	name, first string
	differs     bool // from the first
}

// A belief is what the server last reported of a setting. Servers before PostgreSQL 14 do not report
// those that matter here.
type belief uint8

const (
	unreported belief = iota
	isOff
	isOn
)

// sent follows messages to the server. b holds whole ones.
func (t *tap) sent(b []byte) {
	for len(b) >= headerLen {
		switch b[0] {
		case msgQuery, msgSync, msgFunctionCall:
			t.owed++
		}
		size := 1 + int(binary.BigEndian.Uint32(b[1:]))
		if size < headerLen || size > len(b) {
			return
		}
		b = b[size:]
	}
}

// received follows messages from the server. b may begin and end anywhere.
func (t *tap) received(b []byte) {
	for len(b) > 0 {
		if t.left > 0 {
			n := min(t.left, len(b))
			if t.keeps() {
				t.kept += copy(t.body[t.kept:], b[:n])
			}
			t.left -= n
			b = b[n:]
			if t.left == 0 {
				t.end()
			}
			continue
		}
		n := copy(t.header[t.seen:], b)
		t.seen += n
		b = b[n:]
		if t.seen == headerLen {
			t.start()
		}
	}
}

func (t *tap) keeps() bool {
	return t.kind == msgParameter || t.kind == msgReady || t.kind == msgBackendKey || t.kind == msgCommandComplete ||
		t.kind == msgAuthentication && !t.loggedIn
}

// start begins the message of a whole header.
func (t *tap) start() {
	t.kind, t.seen, t.kept = t.header[0], 0, 0
	t.left = int(int32(binary.BigEndian.Uint32(t.header[1:]))) - 4
	if t.refusal == nil {
		t.refusal = t.measure()
		t.dead = t.dead || t.refusal != nil
	}
	switch {
	case t.left < 0:
		t.dead, t.left = true, 0
	case t.left == 0:
		t.end()
	}
}

// end takes note of a message.
func (t *tap) end() {
	body := t.body[:t.kept]
	switch t.kind {
	case msgReady:
		t.owed--
		t.loggedIn = true
		if len(body) == 1 {
			t.status = body[0]
		}
		t.dead = t.dead || t.owed < 0
	case msgParameter:
		t.parameter(body)
	case msgAuthentication:
		t.dead = t.dead || t.owed == 0
		if !t.loggedIn && t.refusal == nil {
			t.refusal = t.request(body)
		}
	case msgBackendKey:
		if t.dead = t.dead || t.owed == 0 || len(body) < 8; !t.dead {
			t.pid, t.key = binary.BigEndian.Uint32(body), binary.BigEndian.Uint32(body[4:])
		}
	case msgNotification:
		t.notified = true
	case msgBindComplete:
		t.bound = true
		t.dead = t.dead || t.owed == 0
	case msgNotice, msgCloseComplete: // a Close needs no Sync
	default:
		t.dead = t.dead || t.owed == 0
	}
	if t.on {
		t.answered(body)
	}
}

func (t *tap) parameter(body []byte) {
	name, rest, _ := bytes.Cut(body, []byte{0})
	value, _, _ := bytes.Cut(rest, []byte{0})
	t.compare(name, value)
	switch string(name) {
	case beltParameter:
		t.belt = believe(value)
	case "in_hot_standby":
		t.standby = believe(value)
	case "pgbouncer.version":
		t.poolerVersion = string(value)
	case "pgbouncer.pool_mode":
		t.pooling = poolsUnknown
		if mode, ok := poolModes[string(value)]; ok {
			t.pooling = mode
		}
	case "standard_conforming_strings":
		t.unsafe = t.unsafe || string(value) != "on"
	case "client_encoding":
		t.unsafe = t.unsafe || string(value) != "UTF8"
	}
}

// compare keeps what is reported at log-in, and finds out later whether a session still has it. That its server has been promoted
// is not its session's doing.
func (t *tap) compare(name, value []byte) {
	if string(name) == "in_hot_standby" {
		return
	}
	for i := range t.settings {
		s := &t.settings[i]
		if s.name != string(name) {
			continue
		}
		if !t.loggedIn {
			s.first = string(value)
		}
		s.differs = s.first != string(value)
		t.differs = slices.ContainsFunc(t.settings, func(s setting) bool { return s.differs })
		return
	}
	if !t.loggedIn {
		t.settings = append(t.settings, setting{name: string(name), first: string(value)})
	}
}

func believe(value []byte) belief {
	if string(value) == "on" {
		return isOn
	}
	return isOff
}

// idle reports whether the session waits for a statement, outside a transaction, fit for anybody.
func (t *tap) idle() bool {
	return !t.dead && !t.unsafe && !t.notified && t.owed == 0 && t.status == statusIdle
}
