package models_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/models"
)

func TestParseOrder(t *testing.T) {
	for reason, row := range map[string]struct {
		text string
		want models.Order
	}{
		"nothing":                {"", nil},
		"only spaces":            {"  ", nil},
		"one column":             {"name", models.Order{models.Asc("name")}},
		"a plus":                 {"+name", models.Order{models.Asc("name")}},
		"a minus":                {"-name", models.Order{models.Desc("name")}},
		"several":                {"-created_at,name", models.Order{models.Desc("created_at"), models.Asc("name")}},
		"spaces":                 {" -created_at , name ", models.Order{models.Desc("created_at"), models.Asc("name")}},
		"nulls":                  {"a nulls last,-b NULLS FIRST", models.Order{models.Asc("a").NullsLast(), models.Desc("b").NullsFirst()}},
		"what is no column, yet": {"Author.name", models.Order{models.Asc("Author.name")}},
	} {
		got, err := models.ParseOrder(row.text, "name", "created_at", "a", "b", "Author.name")
		require.NoError(t, err, reason)
		assert.Equal(t, row.want, got, reason)
	}
}

func TestParseOrderRefused(t *testing.T) {
	for reason, text := range map[string]string{
		"nothing between commas":       "a,,b",
		"a comma at the end":           "a,",
		"SQL's direction":              "a desc",
		"SQL":                          "a; DROP TABLE users",
		"half a placement":             "a nulls",
		"a column that is not allowed": "password",
		"a minus alone":                "-",
	} {
		_, err := models.ParseOrder(text, "a", "b")
		var refused *models.FilterError
		require.ErrorAs(t, err, &refused, reason)
	}
}

func TestOrderByRefused(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		for reason, key := range map[string]models.SortKey{
			"an unknown column":  models.Asc("titel"),
			"SQL":                models.Asc("(SELECT 1)"),
			"a relation to many": models.Asc("Posts.id"),
		} {
			_, err := db.NewSelect().Model((*filterAuthor)(nil)).Apply(models.OrderBy(models.Asc("id"), key)).Exec(t.Context())
			var refused *models.FilterError
			require.ErrorAs(t, err, &refused, reason)
		}
		_, err := db.NewSelect().Table("filter_authors").Apply(models.OrderBy(models.Asc("id"))).Exec(t.Context())
		var model *models.ModelError
		require.ErrorAs(t, err, &model)
	})
}
