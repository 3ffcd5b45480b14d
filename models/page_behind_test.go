package models

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun/schema"
)

// TestNotBehind tells a row that is not behind the cursor's, which a page could otherwise go back to for ever.
func TestNotBehind(t *testing.T) {
	column := func(kind columnKind, desc bool) sortColumn {
		return sortColumn{filterColumn: &filterColumn{kind: kind, field: &schema.Field{}}, desc: desc}
	}
	name, id := column(kindText, false), column(kindInt, false)
	text := func(s string) cursorValue { return cursorValue{cursorText, s} }
	number := func(s string) cursorValue { return cursorValue{cursorNumber, s} }
	for reason, row := range map[string]struct {
		columns    []sortColumn
		row, other []cursorValue
		want       bool
	}{
		"the row itself":               {[]sortColumn{name, id}, []cursorValue{text("a"), number("7")}, []cursorValue{text("a"), number("7")}, true},
		"the next":                     {[]sortColumn{name, id}, []cursorValue{text("a"), number("10")}, []cursorValue{text("a"), number("7")}, false},
		"one before":                   {[]sortColumn{name, id}, []cursorValue{text("a"), number("7")}, []cursorValue{text("a"), number("10")}, true},
		"one before, as text":          {[]sortColumn{id}, []cursorValue{text("7")}, []cursorValue{text("10")}, true},
		"descending":                   {[]sortColumn{column(kindInt, true)}, []cursorValue{text("7")}, []cursorValue{text("10")}, false},
		"texts that a collation knows": {[]sortColumn{name, id}, []cursorValue{text("a"), number("7")}, []cursorValue{text("B"), number("7")}, false},
		"more digits than a float has": {[]sortColumn{id}, []cursorValue{number("9007199254740992")}, []cursorValue{number("9007199254740993")}, true},
		"NULL":                         {[]sortColumn{name, id}, []cursorValue{{kind: cursorNull}, number("8")}, []cursorValue{{kind: cursorNull}, number("7")}, false},
	} {
		require.Equal(t, row.want, notBehind(row.columns, row.row, row.other), reason)
	}
}

// TestBeginsBehind refuses a page whose first row is its cursor's.
func TestBeginsBehind(t *testing.T) {
	r := fuzzRenderers()[0]
	columns, err := r.sortColumns(Order{Asc("title"), Asc("id")})
	require.NoError(t, err)
	row := []cursorValue{{cursorText, "a"}, {cursorText, "7"}}
	k := &keyset[struct{}]{renderer: r, columns: columns, from: row, keys: [][]cursorValue{row}}
	err = k.beginsBehind(Position{})
	var refused *PageError
	require.ErrorAs(t, err, &refused)
	require.ErrorContains(t, err, "the database does not compare a column's values as it orders them, by title, id")
	k.keys[0] = []cursorValue{{cursorText, "a"}, {cursorText, "8"}}
	require.NoError(t, k.beginsBehind(Position{}))
	require.Error(t, k.beginsBehind(Position{back: true}))
}

func TestMySQLKeys(t *testing.T) {
	for reason, row := range map[string]struct {
		databaseType, text string
		want               byte
	}{
		"a day of zeros":   {"DATETIME", "0000-00-00 00:00:00", cursorZero},
		"no day":           {"DATE", "2024-01-00", cursorZero},
		"no month":         {"DATE", "2024-00-01", cursorZero},
		"a day":            {"DATE", "2024-10-10", cursorText},
		"an enum":          {"ENUM", "2", cursorIndex},
		"bytes":            {"VARBINARY", "a", cursorBytes},
		"a text":           {"VARCHAR", "a", cursorText},
		"a text of others": {"", "\xff", cursorBytes},
		"an integer":       {"UNSIGNED BIGINT", "1", cursorNumber},
	} {
		require.Equal(t, row.want, mysqlKey(row.databaseType, row.text), reason)
	}
}
