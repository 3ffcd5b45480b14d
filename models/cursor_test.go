package models_test

import (
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"math/rand/v2"
	"net/url"
	"strings"
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
			"another version": "BA" + good[2:],
			"a line end":      good[:8] + "\n" + good[8:],
			"too long":        good + strings.Repeat("A", 20000),
			"spaces":          good + " ",
			"SQL":             "' OR 1=1 --",
		} {
			require.ErrorAs(t, fetch(order, bad), &refused, reason)
		}
		for _, version := range []byte{1, 2} {
			require.ErrorAs(t, fetch(order, unsealed(version, "d\x031.5n\x00d\x0230")), &refused)
			require.EqualError(t, refused, "models: cursor: made by an earlier version of this library, which did not seal them: begin at the first page")
		}
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
		assert.EqualError(t, fetch(nil, good), "models: cursor: made for another order, table, scope or kind of database: begin at the first page")
	})
}

func other(c byte) byte {
	if c == 'A' {
		return 'B'
	}
	return 'A'
}

// unsealed makes a cursor as versions 1 and 2 had them, with a right checksum.
func unsealed(version byte, values string) string {
	data := append([]byte{version, 1, 2, 3, 4, 0, 0, 0, 0}, values...)
	sum := crc32.Update(crc32.ChecksumIEEE(data[:5]), crc32.IEEETable, data[9:])
	binary.BigEndian.PutUint32(data[5:], sum)
	return base64.RawURLEncoding.EncodeToString(data)
}

// otherNulls places NULL where the database does not.
func otherNulls(db *bun.DB, k models.SortKey) models.SortKey {
	if db.Dialect().Name().String() == "pg" {
		return k.NullsFirst()
	}
	return k.NullsLast()
}

// TestCursorTypes sees that a cursor with values of other types, which only who has the key can make, is refused as well.
func TestCursorTypes(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		pageRows(t, db, rand.New(rand.NewPCG(6, 8)), 10)
		page, err := models.FetchPage[pageRow](t.Context(), db.NewSelect(), nil, models.Position{}, 3)
		require.NoError(t, err)
		for reason, value := range map[string]string{
			"text for a number":   "s\x03abc",
			"NULL for a key":      "n\x00",
			"an unknown type":     "?\x00",
			"a length too long":   "s\xff\xff\xff\xff\x0f",
			"a value too many":    "d\x012n\x00",
			"no value":            "",
			"a number cut off":    "d\x00",
			"a sign for a number": "d\x01+",
			"SQL for a number":    "d\x081 OR 1=1",
			"SQL for a float":     "f\x041e0)",
			"a time for a number": "s\x142024-01-01T00:00:00Z",
			"more than zeros":     "d\x012\x00\x00\x01",
		} {
			forged, err := models.ForgeCursor(page.Next, value)
			require.NoError(t, err)
			_, err = models.FetchPage[pageRow](t.Context(), db.NewSelect(), nil, models.After(forged), 3)
			var refused *models.CursorError
			require.ErrorAs(t, err, &refused, reason)
			require.EqualError(t, err, "models: cursor: malformed: begin at the first page", reason)
		}
		forged, err := models.ForgeCursor(page.Next, "d\x0230\x00\x00")
		require.NoError(t, err)
		page, err = models.FetchPage[pageRow](t.Context(), db.NewSelect(), nil, models.After(forged), 3)
		require.NoError(t, err)
		require.EqualValues(t, 40, page.Items[0].ID, "what is right is taken")
	})
}
