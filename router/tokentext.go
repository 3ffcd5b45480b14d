package router

import (
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"strings"
	"time"

	"github.com/bindery-go/bindery/binds"
)

// token is what [Session.Token] says.
type token struct {
	issued time.Time // to the second
	parts  []part
	// rest says of every bind without a part that the session may have written to it, and that it
	// is not known how far.
	rest bool
}

// part is what a token says of one bind.
type part struct {
	key     binds.Key
	history uint64 // a hash of it
	// wrote and seen are positions by Position.String: the session has written, and has read, up to
	// them. An empty one says nothing; both empty, that it is not known how far.
	wrote, seen string
}

func (p *part) unknown() bool { return p.wrote == "" && p.seen == "" }

// names reports whether the token has a part of its own for a bind.
func (t *token) names(key binds.Key) bool {
	for i := range t.parts {
		if t.parts[i].key == key {
			return true
		}
	}
	return false
}

// says reports whether the token asks for anything.
func (t *token) says() bool { return len(t.parts) > 0 || t.rest }

const (
	tokenVersion = "1."
	// tokenLife is how long a token is good for: far longer than replicas lag, and short enough
	// that an old one is not compared for ever.
	tokenLife = 24 * time.Hour
	// maxToken bounds a token's length. A browser ignores a cookie of more than 4,096 bytes, and
	// keeps the one before, which would say too little.
	maxToken = 3800
)

// encode writes the token. One that would be too long says instead that nothing is known.
func (t *token) encode() string {
	return tokenVersion + base64.RawURLEncoding.EncodeToString(t.bytes(0))
}

// bytes is what encode writes as text, to which more bytes will be added before that.
func (t *token) bytes(more int) []byte {
	b := binary.AppendVarint(nil, t.issued.Unix())
	b = append(b, 0)
	if t.rest {
		b[len(b)-1] = 1
	}
	for _, p := range t.parts {
		b = appendText(b, string(p.key))
		b = binary.BigEndian.AppendUint64(b, p.history)
		b = appendText(b, p.wrote)
		b = appendText(b, p.seen)
	}
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	if len(tokenVersion)+base64.RawURLEncoding.EncodedLen(len(b)+more) > maxToken {
		none := token{issued: t.issued, rest: true}
		return none.bytes(more)
	}
	return b
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

var (
	errToken        = &TokenError{Reason: "malformed"}
	errExpiredToken = &TokenError{Reason: "expired"}
)

// decodeToken reads a token, which may come from a stranger. Beside an error it returns the token
// that is safe: nothing is known.
func decodeToken(text string, today time.Time) (token, error) {
	nothing := token{rest: true}
	text, ok := strings.CutPrefix(text, tokenVersion)
	if !ok || len(tokenVersion)+len(text) > maxToken || strings.ContainsAny(text, "\r\n") { // which base64 would skip
		return nothing, errToken
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return nothing, errToken
	}
	return decodeTokenBytes(b, today)
}

// decodeTokenBytes does the same with what was the text's.
func decodeTokenBytes(b []byte, today time.Time) (token, error) {
	nothing := token{rest: true}
	if len(b) < crc32.Size {
		return nothing, errToken
	}
	b, sum := b[:len(b)-crc32.Size], b[len(b)-crc32.Size:]
	if crc32.ChecksumIEEE(b) != binary.BigEndian.Uint32(sum) {
		return nothing, errToken
	}
	d := decoder{rest: b}
	t := d.token()
	if d.bad {
		return nothing, errToken
	}
	if age := today.Sub(t.issued); age > tokenLife || age < -tokenLife {
		return nothing, errExpiredToken
	}
	return t, nil
}

// decoder reads what encode wrote; bad says that it met something else.
type decoder struct {
	rest []byte
	bad  bool
}

func (d *decoder) token() token {
	t := token{issued: time.Unix(d.varint(), 0)}
	if flags := d.take(1); flags != nil {
		t.rest = flags[0] == 1
		d.bad = d.bad || flags[0] > 1
	}
	for len(d.rest) > 0 && !d.bad {
		p := part{key: binds.Key(d.text())}
		if b := d.take(8); b != nil {
			p.history = binary.BigEndian.Uint64(b)
		}
		p.wrote, p.seen = d.text(), d.text()
		t.parts = append(t.parts, p)
	}
	return t
}

func (d *decoder) varint() int64 {
	n, size := binary.Varint(d.rest)
	if size <= 0 {
		d.bad = true
		return 0
	}
	d.rest = d.rest[size:]
	return n
}

func (d *decoder) text() string {
	n, size := binary.Uvarint(d.rest)
	if size <= 0 {
		d.bad = true
		return ""
	}
	d.rest = d.rest[size:]
	return string(d.take(n))
}

// take returns the next n bytes, nil if there are not as many.
func (d *decoder) take(n uint64) []byte {
	if d.bad || n > uint64(len(d.rest)) {
		d.bad = true
		return nil
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}
