package models

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/uptrace/bun/dialect"
)

// A span is what a column may hold so that it reads as one value: a FLOAT of MySQL's whose first six digits are those,
// a DECIMAL that a float64 rounds, one of the texts that SQLite has for a time. Comparing with all of it
// finds what was read, and agrees with the order of the column.
type span struct {
	of        string    // what is compared, "" for the column itself
	low, high string    // its least and greatest literal; low is "" if there is none
	near      [2]string // literals of the column itself, for an index, between which all of it lies; "" if there are none
	also      []string  // further literals, which lie elsewhere in the order
	orderOnly bool      // whether = needs none of this
}

// compareSpan compares with all that reads as the value.
func (c *filterColumn) compareSpan(op operator, s *span) clause {
	of := func(op operator, literal string) clause {
		if s.of == "" {
			return c.op(op, literal)
		}
		return clause(s.of + " " + string(op) + " " + literal)
	}
	switch op {
	case opEq:
		return join(" OR ", []clause{c.within(s, of), c.oneOf(s.also)})
	case opNe:
		return "NOT " + parenthesized(c.compareSpan(opEq, s))
	case opLt, opGe:
		if s.low == "" { // nothing is less
			return map[operator]clause{opLt: noRow, opGe: c.is("NOT NULL")}[op]
		}
		return c.beside(op, s, of(op, s.low))
	}
	return c.beside(op, s, of(op, s.high))
}

// within says that the column reads as the value.
func (c *filterColumn) within(s *span, of func(operator, string) clause) clause {
	var all []clause
	if s.near[0] != "" {
		all = append(all, c.op(opGe, s.near[0]), c.op(opLe, s.near[1]))
	}
	switch s.low {
	case s.high:
		all = append(all, of(opEq, s.low))
	case "":
		all = append(all, of(opLe, s.high))
	default:
		all = append(all, of(opGe, s.low), of(opLe, s.high))
	}
	return join(" AND ", all)
}

func (c *filterColumn) oneOf(literals []string) clause {
	if len(literals) == 0 {
		return noRow
	}
	return clause(c.sql + " IN (" + strings.Join(literals, ", ") + ")")
}

// beside leaves the exact comparison to the rows that are near the value: an index finds the others, and costs them nothing.
func (c *filterColumn) beside(op operator, s *span, exact clause) clause {
	if s.near[0] == "" {
		return exact
	}
	from, surely := c.op(opGe, s.near[0]), c.op(opGt, s.near[1])
	if op == opLt || op == opLe {
		from, surely = c.op(opLe, s.near[1]), c.op(opLt, s.near[0])
	}
	return join(" AND ", []clause{from, join(" OR ", []clause{surely, exact})})
}

func parenthesized(c clause) clause {
	if strings.HasPrefix(string(c), "(") {
		return c
	}
	return "(" + c + ")"
}

// floatSpan is what reads as a number. MySQL and PostgreSQL may have a DECIMAL where the field is a float64; MySQL
// also a FLOAT, of which it shows six digits, and PostgreSQL a REAL, which it shows as its shortest text.
func (r *renderer) floatSpan(c *filterColumn, f float64) *span {
	low, high := f, f
	if c.isFloat32() {
		low, high = float32Span(float32(f))
	}
	s := &span{low: exactFloat(low), high: exactFloat(high)}
	held := ""
	switch r.dialect {
	case dialect.PG:
		s.of, held = c.sql+"::text::float8", c.sql+"::float8"
	case dialect.MySQL:
		s.of, held = "(CAST("+c.sql+" AS CHAR) + 0e0)", "("+c.sql+" + 0e0)"
	default:
		return s
	}
	if single, ok := shownFloat32(f); ok && !c.isFloat32() {
		// Drivers read a FLOAT or REAL column as a float32. What such a column holds is not what its text says.
		s.low = fmt.Sprintf("CASE WHEN %s = %s THEN %s ELSE %s END", held, s.of, s.low, exactFloat(single))
		s.high = s.low
	}
	// 6 digits are right to 5 in a million, and nothing that any of these types holds is between 0 and 1e-37 but what reads
	// as about that.
	pad := math.Abs(f)*1e-5 + 1e-37
	if near := [2]float64{f - pad, f + pad}; !math.IsInf(near[0], 0) && !math.IsInf(near[1], 0) {
		s.near = [2]string{exactFloat(near[0]), exactFloat(near[1])}
	}
	return s
}

// shownFloat32 returns the number that the text of f as a float32 says, if f is a float32 and that is another one: 0.1 of
// 0.10000000149011612.
func shownFloat32(f float64) (float64, bool) {
	if float64(float32(f)) != f {
		return 0, false
	}
	shown, err := strconv.ParseFloat(strconv.FormatFloat(f, 'e', -1, 32), 64)
	return shown, err == nil && shown != f
}

func exactFloat(f float64) string { return strconv.FormatFloat(f, 'e', -1, 64) }

// float32Span returns the least and the greatest float64 that are f when they are rounded.
func float32Span(f float32) (low, high float64) {
	edge := func(to float32) float64 {
		next := float64(math.Nextafter32(f, to))
		if math.IsInf(next, 0) {
			return float64(f)
		}
		middle := float64(f) + (next-float64(f))/2
		if float32(middle) != f {
			middle = math.Nextafter(middle, float64(f))
		}
		return middle
	}
	return edge(float32(math.Inf(-1))), edge(float32(math.Inf(1)))
}

// sqliteTime is what SQLite may hold that reads as a time. Its times are texts, which others than Bun write otherwise:
// CURRENT_TIMESTAMP without a zone, strftime with three digits behind the point, JavaScript with T and Z. The forms in UTC with
// a space lie side by side in the order; the others are found by = alone.
func (r *renderer) sqliteTime(t time.Time) *span {
	quoted := func(text string) string { return string(r.gen.Append(nil, text)) }
	local, t := t, t.UTC()
	s := &span{low: quoted(sqliteLeast(t)), high: quoted(t.Format("2006-01-02 15:04:05.000000000") + "+00:00")}
	for _, layout := range []string{"2006-01-02T15:04:05.999999999", "2006-01-02T15:04:05.000", "2006-01-02T15:04:05.000000", "2006-01-02 15:04:05.999999999"} {
		text := t.Format(layout)
		if back, err := time.Parse("2006-01-02T15:04:05", strings.Replace(text, " ", "T", 1)); err != nil || !back.Equal(t) {
			continue // the layout has too few digits
		}
		s.also = append(s.also, quoted(text+"Z"))
		if layout[10] == 'T' {
			s.also = append(s.also, quoted(text), quoted(text+"+00:00"))
		}
	}
	if _, offset := local.Zone(); offset != 0 {
		for _, layout := range []string{"2006-01-02 15:04:05.999999999-07:00", "2006-01-02T15:04:05.999999999-07:00"} {
			s.also = append(s.also, quoted(local.Format(layout)))
		}
	}
	return s
}

// sqliteLeast is the least of the texts of a time, with which all others begin.
func sqliteLeast(t time.Time) string {
	switch {
	case t.Nanosecond() != 0 || t.Second() != 0:
		return t.Format("2006-01-02 15:04:05.999999999")
	case t.Hour() != 0 || t.Minute() != 0:
		return t.Format("2006-01-02 15:04")
	}
	return t.Format(time.DateOnly)
}

// mysqlOrdered writes a literal of a column that MySQL orders by numbers and compares by other things, if the model
// says that it is one.
func mysqlOrdered(c *filterColumn, literal string) *span {
	kind, list, ok := strings.Cut(columnType(dialect.MySQL, c.field), "(")
	end := strings.LastIndexByte(list, ')')
	if !ok || end < 0 {
		return nil
	}
	list = list[:end]
	s := &span{of: fmt.Sprintf(formExprs[formNumber], c.sql), orderOnly: true}
	switch strings.ToUpper(strings.TrimSpace(kind)) {
	case "ENUM":
		s.low = "FIELD(" + literal + ", " + list + ")"
	case "SET": // whose members have no commas
		var bits []string
		for i, member := range strings.Split(list, ",") {
			bits = append(bits, fmt.Sprintf("(FIND_IN_SET(%s, %s) > 0) * %d", strings.TrimSpace(member), literal, uint64(1)<<i))
		}
		s.low = "(" + strings.Join(bits, " + ") + ")"
	default:
		return nil
	}
	s.high = s.low
	return s
}

// mysqlBits writes the bytes of a BIT column as its number, if the model says that it is one.
func mysqlBits(c *filterColumn, data []byte) (string, bool) {
	if !strings.HasPrefix(strings.ToUpper(columnType(dialect.MySQL, c.field)), "BIT") || len(data) > 8 {
		return "", false
	}
	var number [8]byte
	copy(number[8-len(data):], data)
	return strconv.FormatUint(binary.BigEndian.Uint64(number[:]), 10), true
}
