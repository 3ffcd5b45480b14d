package pgbind

import (
	"context"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/driver/pgdriver"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/internal/ctxend"
	"github.com/bindery-go/bindery/router/sqlkind"
)

// Messages of the extended protocol, manual section 55.2.3.
const (
	msgParse    = 'P'
	msgBind     = 'B'
	msgDescribe = 'D'
	msgExecute  = 'E'
	msgFlush    = 'H'

	textFormat, binaryFormat = 0, 1
	mostArguments            = math.MaxUint16
	mostKept                 = 16 << 10 // bytes of a message whose room serves the next
)

// A statement with arguments goes by the extended protocol: the server's own lexer finds the parameters, and
// arguments are never part of the text. pgdriver would write them into the text, by a formatter that takes an apostrophe in a
// comment for a string. It takes one message and one round trip, with the unnamed statement, which nothing
// outlives: so it is right through poolers too. pgdriver sends a query of its own, in whose place the wire sends this, and reads the answer
// as that of its query.
//
// An argument of type []byte needs to know whether its parameter is a bytea: that is asked first, by one more round trip. There is no Sync
// between the two, so that a pooler stays with one server.

// An extended query is what one message consists of.
type extended struct {
	before []string // statements without rows that are run before it, in its transaction
	text   string
	args   []driver.NamedValue
}

// extend has the next query that pgdriver sends be q.
func (c *conn) extend(ctx context.Context, q extended) error {
	if err := checkArgs(q.args); err != nil {
		return err
	}
	if strings.IndexByte(q.text, 0) >= 0 {
		return errNULInText
	}
	w := c.wire
	w.own, w.skip = true, len(q.before)
	m := c.message[:0]
	for _, text := range q.before {
		m = appendExecute(appendBind(appendParse(m, text), nil, nil))
	}
	m = appendParse(m, q.text)
	var types []uint32
	if hasBytes(q.args) {
		var err error
		if m, err = c.describe(ctx, m); err != nil {
			return err
		}
		types = w.params
		if w.refused {
			w.instead = appendMessage(nil, msgSync) // the answer is there
			return nil
		}
		w.unrun = false
		m = appendBind(m, q.args, types)
	} else {
		m = appendMessage(appendBind(m, q.args, nil), msgDescribe, 'P', 0)
	}
	w.instead = appendMessage(appendExecute(m), msgSync)
	if cap(w.instead) <= mostKept {
		c.message = w.instead
	}
	return nil
}

// describe sends m, asks for the types of the last statement's parameters, and waits for the answer. It is for pgdriver to read, too: the columns of
// the result are in it, or the error. Nothing of the statement is run by then: if the connection breaks, it is to be had on another one.
func (c *conn) describe(ctx context.Context, m []byte) ([]byte, error) {
	w := c.wire
	w.simple, w.unrun = true, true
	w.owed++
	m = appendMessage(appendMessage(m, msgDescribe, 'S', 0), msgFlush)
	n, err := w.stream.Write(m)
	w.written += n
	for err == nil && !w.prepared && !w.refused {
		err = w.more()
	}
	if err != nil {
		c.bad = true
		_ = c.pg.Close() // the error counts
		if ended := ctxend.Err(ctx); ended != nil {
			return nil, &notRunError{ended}
		}
		return nil, driver.ErrBadConn
	}
	w.owed--
	return m[:0], nil
}

// more reads what pgdriver will read, ahead of it.
func (w *wire) more() error {
	buf := make([]byte, lookAhead)
	n, err := w.stream.Read(buf[:len(buf)-len(noColumns)])
	w.ahead = append(w.ahead, w.filter(buf[:n])...)
	return err
}

func checkArgs(args []driver.NamedValue) error {
	if len(args) > mostArguments {
		return fmt.Errorf("pgbind: %d arguments: the protocol takes %d at most", len(args), mostArguments)
	}
	for _, a := range args {
		if a.Name != "" {
			return fmt.Errorf("pgbind: argument %d is named %q: PostgreSQL has numbers alone: $%d", a.Ordinal, a.Name, a.Ordinal)
		}
		switch v := a.Value.(type) {
		case nil, int64, float64, bool, []byte, time.Time:
		case string:
			switch {
			case strings.IndexByte(v, 0) >= 0:
				return fmt.Errorf("pgbind: argument %d holds a NUL character, which no text of PostgreSQL can hold: use []byte and a bytea", a.Ordinal)
			case !utf8.ValidString(v):
				return fmt.Errorf("pgbind: argument %d is a string and not valid UTF-8: use []byte and a bytea", a.Ordinal)
			}
		default:
			return fmt.Errorf("pgbind: argument %d is a %T, which database/sql does not give", a.Ordinal, v)
		}
	}
	return nil
}

func hasBytes(args []driver.NamedValue) bool {
	for _, a := range args {
		if b, ok := a.Value.([]byte); ok && b != nil {
			return true
		}
	}
	return false
}

// appendMessage appends a message of parts, bytes.
func appendMessage(m []byte, kind byte, body ...byte) []byte {
	m = binary.BigEndian.AppendUint32(append(m, kind), uint32(4+len(body)))
	return append(m, body...)
}

// endMessage writes the length of the message that began at start.
func endMessage(m []byte, start int) []byte {
	binary.BigEndian.PutUint32(m[start+1:], uint32(len(m)-start-1))
	return m
}

// appendParse has the server parse text as the unnamed statement, and find the parameters' types.
func appendParse(m []byte, text string) []byte {
	start := len(m)
	m = append(m, msgParse, 0, 0, 0, 0, 0)
	m = append(append(m, text...), 0, 0, 0)
	return endMessage(m, start)
}

// appendBind binds arguments to the unnamed statement, whose parameters have types if args have bytes.
func appendBind(m []byte, args []driver.NamedValue, types []uint32) []byte {
	start := len(m)
	m = append(m, msgBind, 0, 0, 0, 0, 0, 0)
	isBytea := func(i int) bool {
		_, ok := args[i].Value.([]byte)
		return ok && i < len(types) && types[i] == typeBytea
	}
	m = binary.BigEndian.AppendUint16(m, uint16(len(args)))
	for i := range args {
		format := uint16(textFormat)
		if isBytea(i) {
			format = binaryFormat
		}
		m = binary.BigEndian.AppendUint16(m, format)
	}
	m = binary.BigEndian.AppendUint16(m, uint16(len(args)))
	for i := range args {
		m = appendArg(m, args[i].Value)
	}
	m = append(m, 0, 0) // results as text
	return endMessage(m, start)
}

func appendExecute(m []byte) []byte { return appendMessage(m, msgExecute, 0, 0, 0, 0, 0) }

// appendArg appends a value and, before it, its length. []byte goes as it is: a bytea's in the binary format, another type's as its text.
func appendArg(m []byte, v driver.Value) []byte {
	start := len(m)
	m = append(m, 0, 0, 0, 0)
	isNull := false
	switch v := v.(type) {
	case nil:
		isNull = true
	case int64:
		m = strconv.AppendInt(m, v, 10)
	case float64:
		m = appendFloat(m, v)
	case bool:
		m = strconv.AppendBool(m, v)
	case string:
		m = append(m, v...)
	case []byte:
		isNull = v == nil
		m = append(m, v...)
	case time.Time:
		m = appendTime(m, v)
	}
	if isNull {
		binary.BigEndian.PutUint32(m[start:], math.MaxUint32)
	} else {
		binary.BigEndian.PutUint32(m[start:], uint32(len(m)-start-4))
	}
	return m
}

func appendFloat(m []byte, f float64) []byte {
	switch {
	case math.IsNaN(f):
		return append(m, "NaN"...)
	case math.IsInf(f, 0):
		if f < 0 {
			m = append(m, '-')
		}
		return append(m, "Infinity"...)
	}
	return strconv.AppendFloat(m, f, 'f', -1, 64)
}

// appendTime writes a time in UTC, as Bun and pgdriver do: a timestamp takes its digits and not its zone.
func appendTime(m []byte, t time.Time) []byte {
	t = t.UTC()
	year := t.Year()
	if year < 1 { // there is no year 0 (manual section B.6); 400 years have the same days
		t = time.Date(2000+(year%400), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
		m = fmt.Appendf(m, "%04d", 1-year)
		m = t.AppendFormat(m, "-01-02 15:04:05.999999+00")
		return append(m, " BC"...)
	}
	return t.AppendFormat(m, "2006-01-02 15:04:05.999999+00")
}

// stmtArgs returns the arguments of a prepared statement in a form that pgdriver sends as they are: it drops a string's NUL characters, takes a
// zero time for NULL, every []byte for a bytea, and writes booleans in capitals.
func stmtArgs(args []driver.NamedValue, types []uint32) ([]driver.NamedValue, error) {
	if err := checkArgs(args); err != nil {
		return nil, err
	}
	out := args
	set := func(i int, v driver.Value) {
		if &out[0] == &args[0] {
			out = append([]driver.NamedValue(nil), args...)
		}
		out[i].Value = v
	}
	for i := range args {
		switch v := args[i].Value.(type) {
		case time.Time:
			set(i, string(appendTime(nil, v)))
		case bool:
			set(i, strconv.FormatBool(v))
		case []byte:
			if v != nil && i < len(types) && types[i] != typeBytea && utf8.Valid(v) {
				set(i, string(v))
			}
		}
	}
	return out, nil
}

const (
	codeSyntax        = "42601" // several statements, among others
	codeIndeterminate = "42P18" // indeterminate_datatype
	codeNoParameter   = "42P02" // undefined_parameter: in a statement that takes none
)

var errNULInText = errors.New("pgbind: the text holds a NUL character")

// A notRunError is the end of a context, or of the session, before a statement was run: the server knew its text by then, and no more.
type notRunError struct{ err error }

func (e *notRunError) Error() string {
	return fmt.Sprintf("pgbind: %v, before the statement was run", e.err)
}

// Unwrap returns the context's error, or the server's.
func (e *notRunError) Unwrap() error { return e.err }

// An ArgumentsError reports a text in which the server finds no place, or no type, for an argument.
// Nothing was run.
type ArgumentsError struct {
	Advice string // what to write
	Err    error  // the server's answer
}

func (e *ArgumentsError) Error() string {
	return fmt.Sprintf("pgbind: %s: %v", e.Advice, e.Err)
}

// Unwrap returns the server's answer.
func (e *ArgumentsError) Unwrap() error { return e.Err }

// explainArgs adds to the server's answer what a text with arguments is not.
func explainArgs(err error, text string) error {
	var answer pgdriver.Error
	if !errors.As(err, &answer) {
		return err
	}
	switch answer.Field('C') {
	case codeSyntax:
		if second := sqlkind.SecondStatement(dialect.PG, text); second > 0 {
			return &binds.SeveralStatementsError{Second: second, Err: err}
		}
		if strings.Contains(answer.Field('M'), `"$`) {
			return &ArgumentsError{Advice: "no argument can stand there: write the value into the text by Bun's ? or call a function that takes one, such as set_config", Err: err}
		}
	case codeNoParameter:
		return &ArgumentsError{Advice: "this kind of statement takes no arguments: write the value into the text by Bun's ?", Err: err}
	case codeIndeterminate:
		return &ArgumentsError{Advice: "say the argument's type in the text, as in $1::text", Err: err}
	}
	return err
}
