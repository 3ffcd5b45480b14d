package mysqlbind

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// uuid returns the n-th of many names.
func uuid(n int) string { return fmt.Sprintf("%08x-71ca-11e1-9e33-c80aa9429562", n) }

// gaps returns n intervals of one transaction each: ":1:3:5…".
func gaps(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, ":%d", 2*i+1)
	}
	return b.String()
}

// oldOrigins returns n origins that wrote once upon a time.
func oldOrigins(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%s:1-%d,", uuid(1000+i), 10+i)
	}
	return b.String()
}

// mySQL is what a server shows whose own name is uuid1.
func mySQL(t *testing.T, set string) *mysqlPosition {
	t.Helper()
	p, err := readMySQL(uuid1, "", set)
	require.NoError(t, err)
	return p
}

// long are sets whose text is longer than a cookie; %d is the number of the latest transaction, above 1,000.
var long = map[string]string{
	"hundreds of origins":               oldOrigins(300) + uuid1 + ":1-%d",
	"hundreds of intervals":             uuid1 + gaps(900) + ":1900-%d",
	"both":                              oldOrigins(200) + uuid2 + gaps(200) + "," + uuid1 + gaps(900) + ":1900-%d",
	"hundreds of tags":                  tags(300) + uuid1 + ":1-%d",
	"a long origin that is not its own": uuid2 + gaps(900) + "," + uuid1 + ":1-%d",
	"intervals of long numbers":         uuid1 + blocks(200) + ":999000000-999%06d",
}

func tags(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%s:tag_%d:1-7,", uuid2, i)
	}
	return b.String()
}

// blocks are what the members of a group take from the numbers of its name.
func blocks(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, ":%d-%d", 1_000_000*i+1, 1_000_000*i+317_000)
	}
	return b.String()
}

// A long set's text fits into a token beside two others, and what it asks for is neither more nor less.
func TestShortTextOfALongSet(t *testing.T) {
	for reason, set := range long {
		t.Run(reason, func(t *testing.T) {
			at := mySQL(t, fmt.Sprintf(set, 2000))
			require.Greater(t, len(at.shown.appendTo(nil)), longestPosition/2)
			text := at.String()
			assert.LessOrEqual(t, len(text), shortText)
			assert.Greater(t, len(text), shortText/2, "as much as fits is said as it is")
			assert.Regexp(t, `^[A-Za-z0-9.\-_:,/]+$`, text)
			w := position(t, text)
			assert.Equal(t, text, w.String())
			assert.Equal(t, text, mySQL(t, fmt.Sprintf(set, 2000)).String(), "two processes say the same")

			assert.True(t, at.Covers(w), "the very same")
			assert.True(t, mySQL(t, fmt.Sprintf(set, 2001)).Covers(w), "later")
			assert.True(t, mySQL(t, fmt.Sprintf(set, 9000)).Covers(w), "much later")
			assert.False(t, mySQL(t, fmt.Sprintf(set, 1999)).Covers(w), "one short")
			assert.False(t, mySQL(t, "").Covers(w))
			assert.False(t, at.Exceeds(w) || w.Exceeds(at), "no verdict by what is left out")
			assert.False(t, w.Covers(at), "nor is what is left out claimed")
			assert.True(t, w.Covers(w))
		})
	}
}

// A set that lacks anything of what the short text leaves out covers it not, whatever it has beside.
func TestShortTextClaimsNothing(t *testing.T) {
	for reason, set := range long {
		t.Run(reason, func(t *testing.T) {
			full := fmt.Sprintf(set, 2000)
			at := mySQL(t, full)
			w := position(t, at.String())
			for i, o := range at.shown {
				if i%7 != 0 && i < len(at.shown)-2 {
					continue // for time's sake
				}
				for _, v := range []interval{o.intervals[0], o.intervals[len(o.intervals)/2], o.intervals[len(o.intervals)-1]} {
					lacks := without(at, i, v)
					assert.False(t, lacks.Covers(w), "%s:%d-%d is missing", o.name, v.first, v.last)
					lacks.shown = add1(t, lacks.shown, uuid2+":tag_x:1-9000")
					assert.False(t, lacks.Covers(w), "%s:%d-%d is missing, others came", o.name, v.first, v.last)
				}
			}
		})
	}
}

// without is the position without an interval of an origin.
func without(p *mysqlPosition, i int, v interval) *mysqlPosition {
	q := &mysqlPosition{own: p.own}
	for k, o := range p.shown {
		c := origin{name: o.name}
		for _, have := range o.intervals {
			if k != i || have != v {
				c.intervals = append(c.intervals, have)
			}
		}
		if len(c.intervals) > 0 {
			q.shown = append(q.shown, c)
		}
	}
	return q
}

func add1(t *testing.T, set gtidSet, more string) gtidSet {
	t.Helper()
	all, err := parseSet(string(set.appendTo(nil)) + "," + more)
	require.NoError(t, err)
	return all
}

// What is left out may have grown, or have had gaps that were filled: that is not seen, and the writer is asked.
func TestShortTextErrsTowardsTheWriter(t *testing.T) {
	at := mySQL(t, oldOrigins(300)+uuid1+":1-2000")
	w := position(t, at.String())
	assert.False(t, mySQL(t, oldOrigins(300)+uuid(1001)+":12,"+uuid1+":1-2000").Covers(w), "an old origin goes on")
	assert.False(t, mySQL(t, oldOrigins(300)+uuid(9)+":1,"+uuid1+":1-2000").Covers(w), "an origin is new")
	at = mySQL(t, uuid1+gaps(900)+":1900-2000")
	w = position(t, at.String())
	assert.False(t, mySQL(t, uuid1+":2"+gaps(900)+":1900-2000").Covers(w), "an old gap is filled")
	assert.True(t, mySQL(t, uuid1+":1798"+gaps(900)+":1900-2000").Covers(w), "a late gap is filled")
}

// Whatever two sets are, one covers the short text of the other only if it holds it all.
func TestShortTextNeverCoversTooMuch(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	covered := 0
	for range 100 {
		var sets [2]strings.Builder
		for i := range 60 {
			for k := range 12 {
				lacks := random.IntN(1000)
				for s := range sets {
					if s != lacks { // hardly ever
						fmt.Fprintf(&sets[s], "%s:%d,", uuid(i%20), 1+60*k+i)
					}
				}
			}
		}
		a, b := mySQL(t, sets[0].String()), mySQL(t, sets[1].String())
		for _, pair := range [][2]*mysqlPosition{{a, b}, {b, a}} {
			w := position(t, pair[1].String())
			require.Greater(t, len(pair[1].shown.appendTo(nil)), shortText)
			if pair[0].Covers(w) {
				covered++
				require.True(t, pair[0].shown.holds(pair[1].shown), "%s\n%s", pair[0].shown.appendTo(nil), w)
			}
		}
	}
	t.Logf("covered %d of 200", covered)
	assert.Positive(t, covered)
}

func BenchmarkCoversShortText(b *testing.B) {
	p, err := readMySQL(uuid1, "", fmt.Sprintf(long["both"], 2000))
	require.NoError(b, err)
	w, err := Driver{}.ParsePosition(p.String())
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		if !p.Covers(w) {
			b.Fatal("not covered")
		}
	}
}

// What a server numbers itself it knows, shown or owned: a replica that shows more has parted from it. Of a group's
// name nothing can be told.
func TestParted(t *testing.T) {
	const own, group = "aaaaaaaa-1111-1111-1111-111111111111", "bbbbbbbb-1111-1111-1111-111111111111"
	read := func(owned, executed string) *mysqlPosition {
		p, err := readMySQL(own, owned, executed)
		require.NoError(t, err)
		return p
	}
	for reason, row := range map[string]struct {
		replica, owned, primary string
		exceeds, parted         bool
	}{
		"level":                              {own + ":1-7", "", own + ":1-7", false, false},
		"behind":                             {own + ":1-6", "", own + ":1-7", false, false},
		"ahead by what is on its way":        {own + ":1-8", own + ":8#12", own + ":1-7", false, false},
		"ahead by what nobody knows":         {own + ":1-9", own + ":8#12", own + ":1-7", true, true},
		"ahead by a tag of it":               {own + ":1-7:t:1-2", "", own + ":1-7:t:1", true, true},
		"ahead in a group's name":            {group + ":1-8", "", group + ":1-7", true, false},
		"of a primary that has none left":    {own + ":1", "", group + ":1", false, true},
		"a server of another name as origin": {group + ":1-8", "", own + ":1-7", false, false},
	} {
		t.Run(reason, func(t *testing.T) {
			replica, primary := read("", row.replica), read(row.owned, row.primary)
			require.Equal(t, row.exceeds, replica.Exceeds(primary))
			require.Equal(t, row.parted, replica.Parted(primary))
		})
	}
}
