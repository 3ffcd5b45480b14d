package models_test

import (
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"math/rand/v2"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/models"
)

func TestCursorRefused(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		pageRows(t, db, rand.New(rand.NewPCG(6, 7)), 10)
		order := models.Order{models.Desc("f"), models.Asc("name")}
		page, err := models.FetchPage[pageRow](t.Context(), db.NewSelect(), order, models.Position{}, 3)
		require.NoError(t, err)
		good := page.Next
		assert.Equal(t, good, url.QueryEscape(good), "safe in a URL")
		fetch := func(order models.Order, cursor string) error {
			_, err := models.FetchPage[pageRow](t.Context(), db.NewSelect(), order, models.After(cursor), 3)
			return err
		}
		require.NoError(t, fetch(order, good))
		var refused *models.CursorError
		for reason, bad := range map[string]string{
			"no base64":       "%%%",
			"too short":       "AQ",
			"cut off":         good[:len(good)-2],
			"something added": good + "AAAA",
			"another version": "Aw" + good[2:],
			"spaces":          good + " ",
			"SQL":             "' OR 1=1 --",
		} {
			require.ErrorAs(t, fetch(order, bad), &refused, reason)
		}
		old := forgeVersion(t, good, 1)
		require.ErrorAs(t, fetch(order, old), &refused)
		require.ErrorContains(t, refused, "made by an earlier version of this library")
		for i := range good {
			changed := good[:i] + string(other(good[i])) + good[i+1:]
			require.ErrorAs(t, fetch(order, changed), &refused, "character %d changed", i)
		}
		for reason, o := range map[string]models.Order{
			"no order":             nil,
			"fewer columns":        {models.Desc("f")},
			"another direction":    {models.Asc("f"), models.Asc("name")},
			"another place":        {models.Asc("name"), models.Desc("f")},
			"another NULL's place": {models.Desc("f"), otherNulls(db, models.Asc("name"))},
		} {
			require.ErrorAs(t, fetch(o, good), &refused, reason)
		}
		assert.EqualError(t, fetch(nil, good), "models: cursor of models_test.pageRow: made for another order, model or kind of database")
	})
}

func other(c byte) byte {
	if c == 'A' {
		return 'B'
	}
	return 'A'
}

// forgeVersion makes a cursor of another version, with a right checksum.
func forgeVersion(t *testing.T, cursor string, version byte) string {
	t.Helper()
	data, err := base64.RawURLEncoding.DecodeString(cursor)
	require.NoError(t, err)
	data[0] = version
	return forge(data[:9], string(data[9:]))
}

// otherNulls places NULL where the database does not.
func otherNulls(db *bun.DB, k models.SortKey) models.SortKey {
	if db.Dialect().Name().String() == "pg" {
		return k.NullsFirst()
	}
	return k.NullsLast()
}

// TestCursorTypes sees that a cursor with values of other types, which anybody can make, is refused.
func TestCursorTypes(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		pageRows(t, db, rand.New(rand.NewPCG(6, 8)), 10)
		page, err := models.FetchPage[pageRow](t.Context(), db.NewSelect(), nil, models.Position{}, 3)
		require.NoError(t, err)
		data, err := base64.RawURLEncoding.DecodeString(page.Next)
		require.NoError(t, err)
		for reason, value := range map[string]string{
			"text for a number":   "s\x03abc",
			"NULL for a key":      "n\x00",
			"an unknown type":     "?\x00",
			"a length too long":   "s\xff\xff\xff\xff\x0f",
			"a value too many":    "d\x012n\x00",
			"no value":            "",
			"a number cut off":    "d\x00",
			"SQL for a number":    "d\x081 OR 1=1",
			"SQL for a float":     "f\x041e0)",
			"a time for a number": "s\x142024-01-01T00:00:00Z",
		} {
			forged := forge(data[:9], value)
			_, err := models.FetchPage[pageRow](t.Context(), db.NewSelect(), nil, models.After(forged), 3)
			var refused *models.CursorError
			require.ErrorAs(t, err, &refused, reason)
		}
	})
}

// forge makes a cursor with a right checksum.
func forge(head []byte, value string) string {
	data := append(append([]byte{}, head...), value...)
	sum := crc32.Update(crc32.ChecksumIEEE(data[:5]), crc32.IEEETable, data[9:])
	binary.BigEndian.PutUint32(data[5:], sum)
	return base64.RawURLEncoding.EncodeToString(data)
}
