package pgbind

import (
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun/driver/pgdriver"
)

// columns is a RowDescription of columns with these types, named a, bb, ccc …
func columns(types ...uint32) []byte {
	body := binary.BigEndian.AppendUint16(nil, uint16(len(types)))
	for i, oid := range types {
		body = append(body, strings.Repeat(string(rune('a'+i)), i+1)...)
		body = append(body, 0, 0, 0, 0x40, 1, 0, 2)
		body = binary.BigEndian.AppendUint32(body, oid)
		body = append(body, 0, 8, 0xff, 0xff, 0xff, 0xff, 0, 0)
	}
	return message(msgColumns, string(body))
}

func TestFilter(t *testing.T) {
	long := strings.Repeat("é", longestField)
	changed := columns(25, 0x0413, 23, 0x0413, 0x02ff, 0x02ff, 0x0f)
	for reason, row := range map[string]struct {
		start           answer
		received, given []byte
		check           func(*testing.T, *tap)
	}{
		"nothing to change": {answer{simple: true}, stream(columns(25, 23), message('D', "x"), message('C', "SELECT 1\x00"), message('Z', "I")),
			stream(columns(25, 23), message('D', "x"), message('C', "SELECT 1\x00"), message('Z', "I")), func(t *testing.T, p *tap) {
				assert.False(t, p.special)
				assert.EqualValues(t, 1, p.affected)
			}},
		"types that are parsed here": {answer{simple: true}, columns(25, typeTimestamp, 23, typeTimestamptz, typeFloat4, typeFloat8, typeBytea), changed, func(t *testing.T, p *tap) {
			assert.Equal(t, []conversion{plain, toTime, plain, toTime, toFloat4, toFloat8, toBytes}, p.columns)
		}},
		"an error before columns":             {answer{simple: true}, stream(message('E', "SERROR\x00\x00"), message('Z', "E")), stream(noColumns, message('E', "SERROR\x00\x00"), message('Z', "E")), nil},
		"an error behind columns":             {answer{simple: true}, stream(columns(25), message('E', "SERROR\x00\x00")), stream(columns(25), message('E', "SERROR\x00\x00")), nil},
		"an error of what pgdriver prepares":  {answer{}, message('E', "SERROR\x00\x00"), message('E', "SERROR\x00\x00"), nil},
		"an error too long":                   {answer{}, message('E', "M"+long+"\x00Wx\x00\x00"), []byte("E" + string(message('E', "M"+long+"\x00Wx\x00\x00")[1:5]) + "M" + long[:longestField] + "\x00Wx\x00\x00"), nil},
		"extended":                            {answer{simple: true, own: true}, stream(message('1', ""), message('t', "\x00\x02\x00\x00\x00\x11\x00\x00\x0e\xda"), columns(23), message('2', ""), message('D', "x"), message('C', "SELECT 1\x00")), stream(columns(23), message('D', "x"), message('C', "SELECT 1\x00")), func(t *testing.T, p *tap) { assert.Equal(t, []uint32{17, 3802}, p.params) }},
		"extended, no rows":                   {answer{simple: true, own: true}, stream(message('1', ""), message('2', ""), message('n', ""), message('C', "UPDATE 3\x00")), message('C', "UPDATE 3\x00"), func(t *testing.T, p *tap) { assert.EqualValues(t, 3, p.affected) }},
		"extended, with a statement before":   {answer{simple: true, own: true, skip: 1}, stream(message('1', ""), message('2', ""), message('D', "on"), message('C', "SELECT 1\x00"), message('1', ""), message('2', ""), columns(23), message('D', "x"), message('C', "SELECT 1\x00")), stream(columns(23), message('D', "x"), message('C', "SELECT 1\x00")), nil},
		"prepared by pgdriver":                {answer{}, stream(message('1', ""), message('t', "\x00\x01\x00\x00\x00\x17"), message('n', "")), stream(message('1', ""), message('t', "\x00\x01\x00\x00\x00\x17"), message('n', "")), func(t *testing.T, p *tap) { assert.Equal(t, []uint32{23}, p.params) }},
		"rows that nobody wants":              {answer{simple: true, exec: true}, stream(columns(25), message('D', "x"), message('C', "INSERT 0 5\x00")), message('C', "INSERT 0 5\x00"), func(t *testing.T, p *tap) { assert.EqualValues(t, 5, p.affected) }},
		"a second result":                     {answer{simple: true}, stream(columns(25), message('D', "x"), message('C', "a\x00"), columns(typeBytea, 25), message('D', "yz"), message('C', "b\x00")), stream(columns(25), message('D', "x"), message('C', "a\x00"), message('C', "b\x00")), func(t *testing.T, p *tap) { assert.True(t, p.several) }},
		"an empty text, a notification, COPY": {answer{simple: true}, stream(message('I', ""), message('A', "\x00\x00\x00\x01c\x00p\x00"), message('H', "\x00\x00\x00"), message('d', "data"), message('c', "")), nil, func(t *testing.T, p *tap) { assert.True(t, p.copied && p.notified) }},
	} {
		t.Run(reason, func(t *testing.T) {
			for _, size := range []int{1, 2, 3, 5, 7, 1 << 20} {
				p := &tap{owed: 1, answer: row.start}
				p.on = true
				var got []byte
				for rest := row.received; len(rest) > 0; {
					n := min(size, len(rest))
					buf := make([]byte, n, n+len(noColumns))
					copy(buf, rest[:n])
					got = append(got, p.filter(buf)...)
					rest = rest[n:]
				}
				require.Equal(t, string(row.given), string(got), "in pieces of %d", size)
				if row.check != nil {
					row.check(t, p)
				}
			}
		})
	}
}

// What pgdriver reads is read alike, and whatever else comes does no harm.
func FuzzParseTime(f *testing.F) {
	for _, s := range []string{"2024-06-01 12:34:56", "2024-06-01 12:34:56.789012+00", "1800-01-01 00:00:00.5+00:53:28", "2024-12-31 23:59:59-03:30",
		"0044-03-15 10:11:12 BC", "294276-12-31 23:59:59.999999+00", "infinity", "-infinity", "", "2024-06-01 12:34:56.", "2024-06-01 12:34:56+1:00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := parseTime(s)
		if !ok || got.Year() < 1 || got.Year() > 9999 || strings.HasSuffix(s, "BC") {
			return
		}
		want, err := pgdriver.ParseTime(s)
		if err != nil {
			return
		}
		assert.True(t, want.Equal(got), "%s: %v instead of %v", s, got, want)
		assert.Equal(t, offsetOf(want), offsetOf(got), s)
	})
}

func TestParseTime_isInTheZoneThatTimeParseGives(t *testing.T) {
	for _, s := range []string{"2024-06-01 12:34:56+00", "2024-06-01 12:34:56.5+02", "2024-06-01 12:34:56-03:30", "2024-06-01 12:34:56"} {
		want, err := pgdriver.ParseTime(s)
		require.NoError(t, err)
		got, ok := parseTime(s)
		assert.True(t, ok)
		assert.Equal(t, want, got, s)
	}
	_, ok := parseTime("2024-06-01 12:34:56.123456789012")
	assert.False(t, ok)
	got, _ := parseTime("2024-06-01 12:34:56.000000001")
	assert.Equal(t, time.Date(2024, 6, 1, 12, 34, 56, 1, time.UTC), got)
}
