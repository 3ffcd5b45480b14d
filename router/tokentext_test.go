package router

import (
	"fmt"
	"hash/crc32"
	"regexp"
	"strings"
	"testing"
	"time"

	"encoding/base64"
	"encoding/binary"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var issued = time.Unix(1_900_000_000, 0)

var tokens = map[string]token{
	"typical": {issued: issued, parts: []part{
		{key: "accounts", history: hashOf("7312345678901234567/1"), wrote: "1A/3B9000C8", seen: "1A/3B9000D8"},
		{key: "audit", history: hashOf("0-1"), wrote: "0-1-123456789,1-2-99"},
	}},
	"not known how far":           {issued: issued, parts: []part{{key: "accounts"}}},
	"nothing is known":            {issued: issued, rest: true},
	"nothing is known but one":    {issued: issued, rest: true, parts: []part{{key: "a", history: 1, seen: "5"}}},
	"the nameless bind, twice":    {issued: issued, parts: []part{{wrote: "1"}, {wrote: "2"}}},
	"a key of any characters":     {issued: issued, parts: []part{{key: "a.b-c\x00ü;\n", wrote: "1"}}},
	"issued before the epoch":     {issued: time.Unix(-5, 0)},
	"as many binds as there fit":  {issued: issued, parts: manyParts(100)},
	"a part of the longest needs": {issued: issued, parts: []part{{key: "k", wrote: strings.Repeat("x", 2000)}}},
}

func manyParts(n int) []part {
	var parts []part
	for i := range n {
		parts = append(parts, part{key: "bind", history: uint64(i), wrote: "12345"})
	}
	return parts
}

var tokenAlphabet = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)

func TestTokenText(t *testing.T) {
	for name, want := range tokens {
		t.Run(name, func(t *testing.T) {
			text := want.encode()
			assert.Regexp(t, tokenAlphabet, text)
			assert.LessOrEqual(t, len(text), maxToken)
			got, err := decodeToken(text, want.issued.Add(time.Hour))
			require.NoError(t, err)
			assert.Equal(t, want, got)
		})
	}
	typical := tokens["typical"]
	t.Logf("a typical token of two binds has %d characters", len(typical.encode()))
	assert.Less(t, len(typical.encode()), 200)
}

// A browser keeps the cookie before one that is too long: better one that says nothing is known.
func TestTokenTooLong(t *testing.T) {
	long := token{issued: issued, parts: manyParts(300)}
	text := long.encode()
	assert.Less(t, len(text), 50)
	got, err := decodeToken(text, issued)
	require.NoError(t, err)
	assert.Equal(t, token{issued: issued, rest: true}, got)
}

func TestDecodeTokenRefuses(t *testing.T) {
	typical := tokens["typical"]
	good := typical.encode()
	sealed := func(b ...byte) string {
		return tokenVersion + base64.RawURLEncoding.EncodeToString(binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b)))
	}
	for reason, text := range map[string]string{
		"empty":                    "",
		"no version":               good[len(tokenVersion):],
		"a later version":          "2." + good[len(tokenVersion):],
		"no content":               tokenVersion,
		"cut off":                  good[:len(good)-1],
		"longer":                   good + "A",
		"line break within":        good[:20] + "\n" + good[20:],
		"padding":                  good + "=",
		"other alphabet":           strings.Replace(good, good[5:6], "+", 1),
		"one character changed":    good[:10] + flipped(good[10]) + good[11:],
		"too long":                 tokenVersion + strings.Repeat("A", maxToken),
		"no time":                  sealed(),
		"no flags":                 sealed(2),
		"an unknown flag":          sealed(2, 2),
		"a part cut off":           sealed(2, 0, 1),
		"a text longer than all":   sealed(2, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1),
		"a length without end":     sealed(2, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
		"a time without end":       sealed(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
		"a history cut off":        sealed(2, 0, 0, 1, 2, 3),
		"positions that are not":   sealed(2, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8),
		"a secret that stays with": "s3cret",
	} {
		got, err := decodeToken(text, issued)
		assert.Equal(t, errToken, err, reason)
		assert.Equal(t, token{rest: true}, got, reason)
		assert.NotContains(t, fmt.Sprint(err), "s3cret")
	}
	for reason, today := range map[string]time.Time{
		"old":             issued.Add(tokenLife + time.Second),
		"from the future": issued.Add(-tokenLife - time.Second),
	} {
		got, err := decodeToken(good, today)
		assert.Equal(t, errExpiredToken, err, reason)
		assert.Equal(t, token{rest: true}, got, reason)
	}
}

func flipped(c byte) string {
	if c == 'A' {
		return "B"
	}
	return "A"
}

func FuzzDecodeToken(f *testing.F) {
	for _, t := range tokens {
		f.Add(t.encode())
	}
	f.Add("")
	f.Add("1.AAAA")
	f.Fuzz(func(t *testing.T, text string) {
		for _, text := range []string{text, sealedText(text)} {
			got, err := decodeToken(text, issued)
			if err != nil {
				require.Equal(t, token{rest: true}, got)
				continue
			}
			again, err := decodeToken(got.encode(), issued)
			require.NoError(t, err)
			require.Equal(t, got, again)
		}
	})
}

// sealedText lets the fuzzer get past the checksum.
func sealedText(content string) string {
	b := []byte(content)
	return tokenVersion + base64.RawURLEncoding.EncodeToString(binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b)))
}
