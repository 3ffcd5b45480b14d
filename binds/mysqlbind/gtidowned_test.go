package mysqlbind

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParseOwned(t *testing.T) {
	for reason, tt := range map[string]struct{ text, want string }{
		"nothing":                      {"", ""},
		"one":                          {uuid1 + ":83335#4030", uuid1 + ":83335"},
		"several of one":               {uuid1 + ":7#40:8#41:20#42", uuid1 + ":7-8:20"},
		"two origins, nothing between": {uuid1 + ":7#4030" + uuid2 + ":8#41", uuid1 + ":7," + uuid2 + ":8"},
		"a thread before a letter":     {uuid1 + ":7#40aaaaaaaa-71ca-11e1-9e33-c80aa9429562:8#41", uuid1 + ":7,aaaaaaaa-71ca-11e1-9e33-c80aa9429562:8"},
		"a tag":                        {uuid1 + ":83335#4030" + uuid1 + ":tag:1#4031", uuid1 + ":83335," + uuid1 + ":tag:1"},
		"a tag after numbers":          {uuid1 + ":7#40:ab:1#41:2#42", uuid1 + ":7," + uuid1 + ":ab:1-2"},
		"commas, as in older ones":     {uuid1 + ":7#40,\n" + uuid2 + ":8#41", uuid1 + ":7," + uuid2 + ":8"},
		"upper case":                   {"3E11FA47-71CA-11E1-9E33-C80AA9429562:7#40", uuid1 + ":7"},
		"what makes no sense":          {"owned", ""},
		"a number that is none":        {uuid1 + ":x#4:7#40", uuid1 + ":7"},
		"a UUID alone":                 {uuid1, ""},
		"a UUID cut off":               {uuid1 + ":7#40" + uuid2[:20], uuid1 + ":7"},
	} {
		assert.Equal(t, tt.want, string(parseOwned(tt.text).appendTo(nil)), reason)
	}
}

// What a primary has given a number but does not show yet, its replicas may show. That is not theirs alone, and it is
// not reached by whoever shows what the primary shows.
func TestOwnedTransactions(t *testing.T) {
	primary, err := readMySQL(uuid1, uuid1+":7#40:9#41", uuid1+":1-6,"+uuid2+":1-3")
	require.NoError(t, err)
	for reason, tt := range map[string]struct {
		replica         string
		covers, exceeds bool
	}{
		"as far as is shown":             {uuid1 + ":1-6," + uuid2 + ":1-3", true, false},
		"what is on its way":             {uuid1 + ":1-7," + uuid2 + ":1-3", true, false},
		"all that is on its way":         {uuid1 + ":1-7:9," + uuid2 + ":1-3", true, false},
		"one more":                       {uuid1 + ":1-8," + uuid2 + ":1-3", true, true},
		"another origin's":               {uuid1 + ":1-6," + uuid2 + ":1-4", true, true},
		"an origin of its own":           {uuid1 + ":1-6," + uuid2 + ":1-3," + uuid(1) + ":1", true, false},
		"what is on its way, but behind": {uuid1 + ":1-5:7," + uuid2 + ":1-3", false, false},
	} {
		replica := mySQL(t, tt.replica)
		assert.Equal(t, tt.covers, replica.Covers(primary), reason)
		assert.Equal(t, tt.exceeds, replica.Exceeds(primary), reason)
	}
	assert.Equal(t, "mysql/"+uuid1+":1-6,"+uuid2+":1-3", primary.String(), "what is on its way is no part of a position")
}

func FuzzParseOwned(f *testing.F) {
	f.Add(uuid1 + ":83335#4030" + uuid1 + ":tag:1#4031")
	f.Add("-" + uuid1)
	f.Fuzz(func(t *testing.T, text string) {
		set := parseOwned(text)
		again, err := parseSet(string(set.appendTo(nil)))
		require.NoError(t, err)
		assert.Equal(t, set, again)
	})
}
