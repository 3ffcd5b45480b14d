package mysqlbind

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
)

func position(t *testing.T, text string) binds.Position {
	t.Helper()
	p, err := Driver{}.ParsePosition(text)
	require.NoError(t, err, text)
	return p
}

const (
	uuid1 = "3e11fa47-71ca-11e1-9e33-c80aa9429562"
	uuid2 = "4e11fa47-71ca-11e1-9e33-c80aa9429562"
)

func TestPositionsCompare(t *testing.T) {
	for reason, tt := range map[string]struct {
		p, w            string
		covers, exceeds bool
	}{
		"nothing written":                            {p: "mariadb/0", w: "mariadb/1", covers: true},
		"nothing written there, something here":      {p: "mariadb/0/0-1-5", w: "mariadb/1", covers: true},
		"nothing replayed":                           {p: "mariadb/0", w: "mariadb/1/0-1-1"},
		"behind":                                     {p: "mariadb/0/0-1-21", w: "mariadb/1/0-1-22"},
		"the same":                                   {p: "mariadb/0/0-1-22", w: "mariadb/1/0-1-22", covers: true},
		"later, by the same server":                  {p: "mariadb/0/0-1-23", w: "mariadb/1/0-1-22", covers: true, exceeds: true},
		"numbers, not text":                          {p: "mariadb/0/0-1-100", w: "mariadb/1/0-1-99", covers: true, exceeds: true},
		"the old primary's tail, the same number":    {p: "mariadb/0/0-1-22", w: "mariadb/2/0-2-22", exceeds: true},
		"the old primary's tail, a higher number":    {p: "mariadb/0/0-1-50", w: "mariadb/2/0-2-42", exceeds: true},
		"the old primary's tail, the new at its end": {p: "mariadb/0/0-1-21", w: "mariadb/2/0-2-22"},
		"promoted, nothing written since":            {p: "mariadb/0/0-1-21", w: "mariadb/2/0-1-21", covers: true},
		"the new primary's first write since":        {p: "mariadb/0/0-2-22", w: "mariadb/2/0-1-21", covers: true, exceeds: true},
		"a third server's later write":               {p: "mariadb/0/0-3-22", w: "mariadb/2/0-1-21", exceeds: true},
		"all domains":                                {p: "mariadb/0/0-1-5,7-1-9", w: "mariadb/1/0-1-5,7-1-9", covers: true},
		"one domain behind":                          {p: "mariadb/0/0-1-5,7-1-8", w: "mariadb/1/0-1-5,7-1-9"},
		"one domain missing":                         {p: "mariadb/0/0-1-5", w: "mariadb/1/0-1-5,7-1-9"},
		"a domain of another primary":                {p: "mariadb/0/0-1-5,9-9-9", w: "mariadb/1/0-1-5", covers: true},
		"one behind, one ahead":                      {p: "mariadb/0/0-1-9,7-1-8", w: "mariadb/1/0-1-5,7-1-9", exceeds: true},
		"a primary's own earlier position":           {p: "mariadb/1/0-1-9", w: "mariadb/1/0-1-5", covers: true, exceeds: true},
		"a primary's own, then another server id":    {p: "mariadb/1/0-8-9", w: "mariadb/1/0-1-5", covers: true, exceeds: true},
		"a writable replica, whose log runs ahead":   {p: "mariadb/2/0-1-9", w: "mariadb/1/0-1-9"},
		"two replicas":                               {p: "mariadb/0/0-1-9", w: "mariadb/0/0-1-8", covers: true, exceeds: true},
		"MySQL here":                                 {p: "mysql/" + uuid1 + ":1-5", w: "mariadb/1"},
		"MySQL there":                                {p: "mariadb/0/0-1-5", w: "mysql/"},
		"sets: nothing written":                      {p: "mysql/", w: "mysql/", covers: true},
		"sets: the same":                             {p: "mysql/" + uuid1 + ":1-5", w: "mysql/" + uuid1 + ":1-5", covers: true},
		"sets: behind":                               {p: "mysql/" + uuid1 + ":1-4", w: "mysql/" + uuid1 + ":1-5"},
		"sets: ahead":                                {p: "mysql/" + uuid1 + ":1-6", w: "mysql/" + uuid1 + ":1-5", covers: true, exceeds: true},
		"sets: a gap":                                {p: "mysql/" + uuid1 + ":1-3:5-9", w: "mysql/" + uuid1 + ":1-9"},
		"sets: the same gap":                         {p: "mysql/" + uuid1 + ":1-3:5-9", w: "mysql/" + uuid1 + ":2:5-7:9", covers: true, exceeds: true},
		"sets: a tail that was lost":                 {p: "mysql/" + uuid1 + ":1-9", w: "mysql/" + uuid1 + ":1-7," + uuid2 + ":1-5", exceeds: true},
		"sets: a write of the replica's own":         {p: "mysql/" + uuid1 + ":1-5," + uuid2 + ":1", w: "mysql/" + uuid1 + ":1-5", covers: true},
		"sets: a tag is an origin of its own":        {p: "mysql/" + uuid1 + ":1-5", w: "mysql/" + uuid1 + ":tag:1"},
		"sets: the tag's numbers":                    {p: "mysql/" + uuid1 + ":1-5," + uuid1 + ":tag:1-3", w: "mysql/" + uuid1 + ":tag:2-3", covers: true, exceeds: true},
	} {
		p, w := position(t, tt.p), position(t, tt.w)
		assert.Equal(t, tt.covers, p.Covers(w), "covers: %s", reason)
		assert.Equal(t, tt.exceeds, p.Exceeds(w), "exceeds: %s", reason)
		assert.False(t, p.Covers(nil) || p.Exceeds(nil), reason)
	}
}

func TestParsePositionRefuses(t *testing.T) {
	for reason, text := range map[string]string{
		"empty":                       "",
		"another driver's":            "0/5000028",
		"no server":                   "mariadb/",
		"no server, a GTID":           "mariadb//0-1-2",
		"no GTID after the slash":     "mariadb/1/",
		"a server padded":             "mariadb/01",
		"two parts":                   "mariadb/1/0-1",
		"four parts":                  "mariadb/1/0-1-2-3",
		"a sign":                      "mariadb/1/0-1-+2",
		"padded":                      "mariadb/1/0-1-02",
		"a domain too large":          "mariadb/1/4294967296-1-2",
		"a number too large":          "mariadb/1/0-1-18446744073709551616",
		"unsorted":                    "mariadb/1/5-1-2,0-1-2",
		"a domain twice":              "mariadb/1/0-1-2,0-1-3",
		"a comma too many":            "mariadb/1/0-1-2,",
		"a blank":                     "mariadb/1/0-1-2, 5-1-2",
		"no UUID":                     "mysql/1-5",
		"a short UUID":                "mysql/3e11fa47:1-5",
		"no interval":                 "mysql/" + uuid1,
		"an empty interval":           "mysql/" + uuid1 + ":",
		"a tag without interval":      "mysql/" + uuid1 + ":tag",
		"a tag after a bare tag":      "mysql/" + uuid1 + ":tag:gat:1",
		"a tag too long":              "mysql/" + uuid1 + ":" + strings.Repeat("t", 33) + ":1",
		"zero":                        "mysql/" + uuid1 + ":0-5",
		"backwards":                   "mysql/" + uuid1 + ":5-1",
		"not merged":                  "mysql/" + uuid1 + ":1-5:6-9",
		"a range of one":              "mysql/" + uuid1 + ":5-5",
		"the highest there is not":    "mysql/" + uuid1 + ":1-9223372036854775807",
		"upper case":                  "mysql/" + strings.ToUpper(uuid1) + ":1-5",
		"unsorted origins":            "mysql/" + uuid2 + ":1," + uuid1 + ":1",
		"a digest's number is none":   "mysql/" + uuid1 + ":.0.00000000000000ff:7",
		"a digest that is short":      "mysql/" + uuid1 + ":.5.ff:7",
		"a digest alone":              "mysql/" + uuid1 + ":.5.00000000000000ff",
		"two digests":                 "mysql/" + uuid1 + ":.5.00000000000000ff:.6.00000000000000ff:7",
		"a digest after intervals":    "mysql/" + uuid1 + ":1:.5.00000000000000ff:7",
		"a digest of no origins":      "mysql/" + uuid1 + ":1/0.0000000000000000",
		"a slash without digest":      "mysql/" + uuid1 + ":1/",
		"long, with nothing left out": "mysql/" + uuid1 + gaps(400),
		"tags in the server's form":   "mysql/" + uuid1 + ":1:tag:1",
	} {
		p, err := Driver{}.ParsePosition(text)
		assert.ErrorIs(t, err, errPosition, reason)
		assert.Nil(t, p, reason)
	}
	_, err := Driver{}.ParsePosition("mariadb/1/" + strings.Repeat("0-1-1,", 1000))
	assert.ErrorIs(t, err, errLongPosition)
}

// Servers write sets with line ends, in any case, and several tags after a UUID.
func TestParseSetAsServersWriteIt(t *testing.T) {
	for reason, tt := range map[string]struct{ text, want string }{
		"line ends":        {uuid2 + ":1-5,\n" + uuid1 + ":7", uuid1 + ":7," + uuid2 + ":1-5"},
		"upper case":       {strings.ToUpper(uuid1) + ":1:Tag_1:2", uuid1 + ":1," + uuid1 + ":tag_1:2"},
		"intervals to sum": {uuid1 + ":7-9:1-3:4-6:20", uuid1 + ":1-9:20"},
		"overlaps":         {uuid1 + ":1-9:2-3:5-12", uuid1 + ":1-12"},
		"an origin twice":  {uuid1 + ":1-3," + uuid1 + ":4", uuid1 + ":1-4"},
		"several tags":     {uuid1 + ":1-3:a:1:5-7:b:2", uuid1 + ":1-3," + uuid1 + ":a:1:5-7," + uuid1 + ":b:2"},
		"a tag alone":      {uuid1 + ":a:1", uuid1 + ":a:1"},
		"nothing":          {"", ""},
	} {
		p, err := readMySQL("", "", tt.text)
		require.NoError(t, err, reason)
		assert.Equal(t, "mysql/"+tt.want, p.String(), reason)
		assert.Equal(t, p.shown, position(t, p.String()).(*mysqlPosition).shown, reason)
	}
}

func FuzzParsePosition(f *testing.F) {
	for _, text := range []string{
		"mariadb/1/0-1-22,5-2-7", "mariadb/0", "mariadb/1/", "mysql/", "mysql/" + uuid1 + ":1-5:7," + uuid2 + ":tag:1-3", "0/28",
		"mysql/" + uuid1 + ":.5.00000000000000ff:7-9/3.0000000000000abc",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Driver{}.ParsePosition(text)
		if err == nil {
			assert.Equal(t, text, p.String())
			assert.True(t, p.Covers(p))
			assert.False(t, p.Exceeds(p))
		}
		if strings.Contains(text, string(oldMark)) {
			return // no server writes that
		}
		if p, err := readMySQL("", "", text); err == nil {
			again, err := Driver{}.ParsePosition(p.String())
			require.NoError(t, err)
			assert.Equal(t, p.String(), again.String())
			assert.True(t, p.Covers(again))
		}
	})
}
