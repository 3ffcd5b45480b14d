package pgbind

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
)

// foreign is another driver's position.
type foreign struct{ binds.Position }

func TestPositionsCompare(t *testing.T) {
	for reason, want := range map[string]struct {
		p               position
		w               binds.Position
		covers, exceeds bool
	}{
		"behind":                             {p: 0x5000028, w: position(0x5000029)},
		"the same":                           {p: 0x5000028, w: position(0x5000028), covers: true},
		"ahead":                              {p: 0x5000029, w: position(0x5000028), covers: true, exceeds: true},
		"the upper half counts more":         {p: 1 << 32, w: position(0xFFFFFFFF), covers: true, exceeds: true},
		"nothing replayed yet":               {p: 0, w: position(0)},
		"nothing replayed, something there":  {p: 0, w: position(1)},
		"another driver's position":          {p: 7, w: foreign{}},
		"no position":                        {p: 7, w: nil},
		"the last of all, which is no minus": {p: math.MaxUint64, w: position(1), covers: true, exceeds: true},
	} {
		assert.Equal(t, want.covers, want.p.Covers(want.w), reason)
		assert.Equal(t, want.exceeds, want.p.Exceeds(want.w), reason)
	}
}

func TestParsePosition(t *testing.T) {
	for _, text := range []string{"0/0", "0/5000028", "1/0", "16/B374D848", "FFFFFFFF/FFFFFFFF"} {
		p, err := Driver{}.ParsePosition(text)
		require.NoError(t, err, text)
		assert.Equal(t, text, p.String())
	}
	for reason, text := range map[string]string{
		"empty":            "",
		"no slash":         "5000028",
		"half":             "0/",
		"other half":       "/5000028",
		"lower case":       "0/abc",
		"padded":           "0/05000028",
		"a sign":           "0/+1",
		"a prefix":         "0x0/0x1",
		"an underscore":    "0/1_0",
		"too many digits":  "0/100000000",
		"a third part":     "0/1/2",
		"a blank":          "0/1 ",
		"another driver's": "mariadb/1/0-1-2",
	} {
		p, err := Driver{}.ParsePosition(text)
		assert.ErrorIs(t, err, errLSN, reason)
		assert.Nil(t, p, reason)
	}
}

func FuzzParsePosition(f *testing.F) {
	for _, text := range []string{"0/5000028", "FFFFFFFF/FFFFFFFF", "0/0", "0/00", "x/1"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Driver{}.ParsePosition(text)
		if err != nil {
			return
		}
		assert.Equal(t, text, p.String())
		assert.Equal(t, p != position(0), p.Covers(p))
		assert.False(t, p.Exceeds(p))
	})
}

// The values are those seen on a server.
func TestInsertPositionWithoutTheHeaderToCome(t *testing.T) {
	const block, segment = 8192, 16 << 20
	for reason, want := range map[string]struct{ insert, last position }{
		"a segment's first page":                 {0xE000028, 0xE000000},
		"another page":                           {0xE002018, 0xE002000},
		"inside a page":                          {0xE002020, 0xE002020},
		"the place of the other header":          {0xE002028, 0xE002028},
		"the end of a page":                      {0xE004000, 0xE004000},
		"the first page, where records may lie":  {0xE000050, 0xE000050},
		"the first of all, which no record ends": {0x28, 0},
	} {
		assert.Equal(t, want.last, want.insert.lastRecordEnd(block, segment), reason)
	}
}

func TestPositionsOfNewerServersArePadded(t *testing.T) {
	p, err := parseLSN("1/00000A28")
	require.NoError(t, err)
	assert.Equal(t, "1/A28", p.String())
}
