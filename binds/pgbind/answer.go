package pgbind

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"unicode/utf8"
)

// Messages of answers, manual section 55.7.
const (
	msgParseComplete    = '1'
	msgBindComplete     = '2'
	msgCloseComplete    = '3'
	msgNoData           = 'n'
	msgParameterTypes   = 't'
	msgColumns          = 'T'
	msgRow              = 'D'
	msgCommandComplete  = 'C'
	msgEmptyQuery       = 'I'
	msgCopyIn           = 'G'
	msgCopyOut          = 'H'
	msgCopyData         = 'd'
	msgCopyDone         = 'c'
	columnLen           = 18   // of a column's description, behind its name
	columnType          = 6    // where its type is in that
	longestField        = 4000 // bytes of an error's field: pgdriver reads fields by a buffer of 8192
	lastByteOfVarchar   = 0x13 // pgdriver gives text as a string
	lastByteOfNoType    = 0xff // and a type that it does not know as bytes
	lastByteOfBytesType = 0x0f
)

// Types that pgdriver parses by itself, in the midst of reading a row: what it cannot parse leaves the connection in
// the middle of a message.
const (
	typeBytea       = 17
	typeFloat4      = 700
	typeFloat8      = 701
	typeTimestamp   = 1114
	typeTimestamptz = 1184
)

// noColumns is a RowDescription without columns. It goes before an error that comes without one, so that
// pgdriver takes the error for that of a row: for that it does not close the connection. For a canceled statement's, and for those of a
// failed transaction, it would.
var noColumns = []byte{msgColumns, 0, 0, 0, 6, 0, 0}

// An answer changes what the server answers to one statement, before pgdriver reads it, so that every answer is one
// that pgdriver can read to its end. Its zero value changes nothing.
type answer struct {
	on     bool // the connection is this package's, not a native one
	simple bool // pgdriver has sent a query of its own and waits for the answer to that
	own    bool // in its place this package has sent one by the extended protocol
	skip   int  // statements of that, from the first on, of which pgdriver is to know nothing
	exec   bool // the statement's rows are not wanted

	described bool // the columns have passed
	prepared  bool // the server has answered to a Describe
	refused   bool // an error has come
	unrun     bool // the server was given the text, and not told to run it
	several   bool // a second result came: the connection's rows have one
	copied    bool // the statement was COPY with the client
	copyIn    bool // it waits for the client's data
	affected  int64

	columns []conversion // of the result
	special bool         // one of them is not plain
	params  []uint32     // types of the statement's parameters

	drops     bool // the message at hand is kept from pgdriver
	position  int  // in the message at hand: of the columns, in the fixed part of one; of parameters, in the body
	inName    bool
	number    uint32 // what is read at the position
	fieldLong int    // bytes of an error's field
}

// begin forgets the statement before.
func (a *answer) begin() {
	a.simple, a.own, a.skip, a.exec = false, false, 0, false
	a.described, a.prepared, a.refused, a.several, a.copied, a.copyIn, a.affected = false, false, false, false, false, false, 0
	a.unrun = false
	a.columns, a.special = a.columns[:0], false
}

// filter follows messages from the server, as received does, and returns what pgdriver is to read of them, in place. b may begin and
// end anywhere, and has room for noColumns behind its end.
func (t *tap) filter(b []byte) []byte {
	if !t.on {
		t.received(b)
		return b
	}
	out := 0
	keep := func(in, n int) {
		if out != in {
			copy(b[out:], b[in:in+n])
		}
		out += n
	}
	for in := 0; in < len(b); {
		if t.left > 0 {
			n := min(t.left, len(b)-in)
			if t.keeps() {
				t.kept += copy(t.body[t.kept:], b[in:in+n])
			}
			switch {
			case t.kind == msgParameterTypes:
				t.readParameters(b[in : in+n])
			case t.drops:
			case t.kind == msgColumns:
				t.readColumns(b[in : in+n])
			}
			switch {
			case t.drops:
			case t.kind == msgError:
				out += t.shorten(b[out:], b[in:in+n])
			default:
				keep(in, n)
			}
			t.left -= n
			in += n
			if t.left == 0 {
				t.end()
			}
			continue
		}
		if t.seen == 0 && t.meets(b[in]) {
			n := len(noColumns)
			b = b[:len(b)+n]
			copy(b[in+n:], b[in:len(b)-n])
			in += n
			out += copy(b[out:], noColumns)
		}
		n := copy(t.header[t.seen:], b[in:])
		t.seen += n
		if !t.drops {
			keep(in, n)
		}
		in += n
		if t.seen == headerLen {
			t.start()
		}
	}
	return b[:out]
}

// meets begins a message of a kind. It decides whether pgdriver gets it, and reports whether noColumns goes before it.
func (t *tap) meets(kind byte) bool {
	t.drops, t.position, t.inName, t.number, t.fieldLong = false, 0, false, 0, 0
	switch kind {
	case msgParseComplete, msgBindComplete, msgNoData, msgParameterTypes:
		t.drops = t.own
	case msgEmptyQuery, msgNotification, msgCopyIn, msgCopyOut, msgCopyData, msgCopyDone:
		t.drops = true
	case msgColumns:
		t.several = t.several || t.described && t.simple && !t.exec
		t.drops = t.described || t.exec
		t.described = true
	case msgRow:
		t.drops = t.skip > 0 || t.exec || t.several
	case msgCommandComplete:
		t.drops = t.skip > 0
	case msgError:
		if t.simple && !t.described {
			t.described = true
			return true
		}
	}
	return false
}

// answered takes note of a whole message.
func (t *tap) answered(body []byte) {
	switch t.kind {
	case msgCommandComplete:
		t.skip = max(t.skip-1, 0)
		tag := bytes.TrimSuffix(body, []byte{0})
		t.exact = t.exact && string(tag) != "SET"
		if n, err := strconv.ParseInt(string(tag[bytes.LastIndexByte(tag, ' ')+1:]), 10, 64); err == nil {
			t.affected = n
		}
	case msgColumns, msgNoData:
		t.prepared = true
	case msgError:
		t.refused = true
	case msgCopyIn:
		t.copyIn, t.copied = true, true
	case msgCopyOut:
		t.copied = true
	}
}

// readColumns follows a RowDescription: a number, and for each column its name, a zero byte and columnLen bytes. It
// notes the columns that this package converts, and changes their types' last bytes to those of types that pgdriver
// gives as they come.
func (t *tap) readColumns(b []byte) {
	a := &t.answer
	for len(b) > 0 {
		switch {
		case a.number>>31 == 0: // the number of columns, two bytes
			if a.position++; a.position == 2 {
				a.number, a.inName = 1<<31, true
			}
			b = b[1:]
		case a.inName:
			end := bytes.IndexByte(b, 0)
			if end < 0 {
				return
			}
			a.inName, a.position, a.number = false, 0, 1<<31
			b = b[end+1:]
		case a.position == 0 && len(b) >= columnLen:
			b[columnType+3] = t.convert(binary.BigEndian.Uint32(b[columnType:]), b[columnType+3])
			a.inName, b = true, b[columnLen:]
		default:
			if a.position >= columnType && a.position < columnType+4 {
				a.number = a.number<<8 | 1<<31 | uint32(b[0])
				if a.position == columnType+3 {
					b[0] = t.convert(a.number&^(1<<31), b[0])
				}
			}
			if a.position++; a.position == columnLen {
				a.inName = true
			}
			b = b[1:]
		}
	}
}

// convert notes a column's type, and returns its last byte as pgdriver is to see it.
func (t *tap) convert(oid uint32, last byte) byte {
	a, how := &t.answer, plain
	switch {
	case oid == typeTimestamp || oid == typeTimestamptz:
		how, last = toTime, lastByteOfVarchar
	case oid == typeFloat8 && !t.exact: // one that is rounded up may be more than float64 holds
		how, last = toFloat8, lastByteOfNoType
	case oid == typeFloat4 && !t.exact:
		how, last = toFloat4, lastByteOfNoType
	case oid == typeBytea:
		how, last = toBytes, lastByteOfBytesType
	}
	a.columns = append(a.columns, how)
	a.special = a.special || how != plain
	return last
}

// readParameters follows a ParameterDescription: a number of two bytes, and the types.
func (a *answer) readParameters(b []byte) {
	for _, c := range b {
		switch a.position++; {
		case a.position == 2:
			a.params, a.number = a.params[:0], 0
		case a.position > 2:
			a.number = a.number<<8 | uint32(c)
			if (a.position-2)%4 == 0 {
				a.params = append(a.params, a.number)
				a.number = 0
			}
		}
	}
}

// shorten copies what belongs to an error's fields to dst, without what is too long for pgdriver. It goes by the zero bytes
// that end the fields, not by the message's length.
func (a *answer) shorten(dst, b []byte) int {
	if a.fieldLong+len(b) < longestField {
		if end := bytes.LastIndexByte(b, 0); end >= 0 {
			a.fieldLong = len(b) - end - 1
		} else {
			a.fieldLong += len(b)
		}
		return copy(dst, b)
	}
	n := 0
	for _, c := range b {
		a.fieldLong++
		switch {
		case c == 0:
			a.fieldLong = 0
		case a.fieldLong > longestField && (a.fieldLong > longestField+utf8.UTFMax || utf8.RuneStart(c)):
			a.fieldLong = longestField + utf8.UTFMax + 1
			continue
		}
		dst[n] = c
		n++
	}
	return n
}

// copyFail ends a COPY FROM STDIN; a Sync that came before it was not heeded (manual section 55.2.6).
func (a *answer) copyFail() []byte {
	const reason = "this connection sends no data\x00"
	m := binary.BigEndian.AppendUint32([]byte{'f'}, uint32(4+len(reason)))
	m = append(m, reason...)
	if a.own {
		m = append(m, msgSync, 0, 0, 0, 4)
	}
	return m
}
