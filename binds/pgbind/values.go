package pgbind

import (
	"database/sql/driver"
	"encoding/hex"
	"strconv"
	"strings"
	"time"
	"unsafe"
)

// A conversion says what a column's text becomes.
type conversion uint8

const (
	plain conversion = iota // what pgdriver makes of it
	toTime
	toFloat4
	toFloat8
	toBytes
)

// apply converts a value in the form in which pgdriver gives it. What is no value of the Go type is given as its text:
// a string or a sql.Scanner takes that, and for another destination Scan's error names column and value.
func (c conversion) apply(v driver.Value) driver.Value {
	switch v := v.(type) {
	case string:
		if c == toTime {
			if at, ok := parseTime(v); ok {
				return at
			}
		}
		return v
	case []byte:
		switch c {
		case toFloat4, toFloat8:
			bits := 64
			if c == toFloat4 {
				bits = 32
			}
			text := unsafe.String(unsafe.SliceData(v), len(v)) // nobody else has it
			f, err := strconv.ParseFloat(text, bits)
			if err != nil {
				return text
			}
			return f
		case toBytes:
			return decodeBytes(v)
		}
	}
	return v
}

// decodeBytes reads a bytea in either of its formats (manual section 8.4), in place.
func decodeBytes(text []byte) []byte {
	if len(text) >= 2 && text[0] == '\\' && text[1] == 'x' {
		n, err := hex.Decode(text, text[2:])
		if err != nil {
			return text
		}
		if n > 1024 { // leave no more behind it than it needs
			return append(make([]byte, 0, n), text[:n]...)
		}
		return text[:n:n]
	}
	n := 0
	for i := 0; i < len(text); i++ {
		b := text[i]
		if b == '\\' && i+1 < len(text) && text[i+1] == '\\' {
			i++
		} else if b == '\\' && i+3 < len(text) {
			b = text[i+1]&7<<6 | text[i+2]&7<<3 | text[i+3]&7
			i += 3
		}
		text[n] = b
		n++
	}
	return text[:n:n]
}

// parseTime reads a timestamp as PostgreSQL writes it under DateStyle ISO (manual section 8.5.2), of any year. It reports false
// for what is no time of Go's: "infinity" and "-infinity".
func parseTime(s string) (time.Time, bool) {
	year, rest, ok := strings.Cut(s, "-")
	rest, isBC := strings.CutSuffix(rest, " BC")
	y, isYear := digits(year)
	if !ok || !isYear || len(year) < 4 || len(rest) < len("01-02 15:04:05") ||
		rest[2] != '-' || rest[5] != ' ' || rest[8] != ':' || rest[11] != ':' {
		return time.Time{}, false
	}
	if isBC {
		y = 1 - y // there is no year 0 (section B.6)
	}
	var part [5]int
	for i := range part {
		if part[i], ok = digits(rest[3*i : 3*i+2]); !ok {
			return time.Time{}, false
		}
	}
	rest = rest[len("01-02 15:04:05"):]
	nanos := 0
	if rest != "" && rest[0] == '.' {
		end := 1
		for end < len(rest) && rest[end] >= '0' && rest[end] <= '9' {
			end++
		}
		n, ok := digits(rest[1:end])
		if !ok || end > 10 {
			return time.Time{}, false
		}
		for range 10 - end {
			n *= 10
		}
		nanos, rest = n, rest[end:]
	}
	at := time.Date(y, time.Month(part[0]), part[1], part[2], part[3], part[4], nanos, time.UTC)
	if rest == "" || rest == "+00" {
		return at, true
	}
	offset, ok := parseOffset(rest)
	if !ok {
		return time.Time{}, false
	}
	at = at.Add(-time.Duration(offset) * time.Second)
	// As time.Parse has it: the local zone where it has this offset, else one without a name.
	if local := at.In(time.Local); offsetOf(local) == offset {
		return local, true
	}
	return at.In(time.FixedZone("", offset)), true
}

func offsetOf(t time.Time) int {
	_, offset := t.Zone()
	return offset
}

// parseOffset reads +07, -03:30 or +00:53:28, in seconds.
func parseOffset(s string) (int, bool) {
	if s[0] != '+' && s[0] != '-' || len(s)%3 != 0 || len(s) > 9 {
		return 0, false
	}
	total := 0
	for i, unit := 0, 3600; i < len(s); i, unit = i+3, unit/60 {
		n, ok := digits(s[i+1 : i+3])
		if !ok || i > 0 && s[i] != ':' {
			return 0, false
		}
		total += n * unit
	}
	if s[0] == '-' {
		total = -total
	}
	return total, true
}

// digits reads a number of at most nine digits.
func digits(s string) (n int, ok bool) {
	if s == "" || len(s) > 9 {
		return 0, false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n, true
}
