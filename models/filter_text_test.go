package models_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"

	"github.com/bindery-go/bindery/models"
)

type textRow struct {
	bun.BaseModel `bun:"table:filter_texts,alias:ft"`

	ID   int64  `bun:",pk"`
	Text string `bun:",notnull"`
}

// hostileTexts are what breaks out of a literal or a pattern that is not quoted as the server reads it.
var hostileTexts = []string{
	"'", "''", `"`, "`", `\`, `\\`, `\'`, `'\`, `\"`, `'; DROP TABLE filter_texts; --`, `' OR '1'='1`, `\' OR 1=1 -- `, `x' UNION SELECT 1 -- `,
	"?", "?0", `\?`, "?TableName", "$1", ":x", "@x", "/*", "*/", "--", "#", "/*! 1 */", "%", "%%", "_", `\%`, `\_`, "!", "[a]", "\n", "\r\n", "\t", "\x1a", "\b",
	"é", "\u2028", "\U0001f642", "\u02bc", "\uff07", "NULL", "?!(x)", "a''b\\", "X'00'", "E'\\''", "$$x$$",
}

// TestWhereFindsHostileTexts sees that each server takes every text for itself: it finds the row that has
// it, by every operator, and no other.
func TestWhereFindsHostileTexts(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		createTables(t, db, (*textRow)(nil))
		if db.Dialect().Name() == dialect.MySQL { // its default collations take some of the texts for others
			exec(t, db.NewRaw("ALTER TABLE filter_texts MODIFY text VARCHAR(255) COLLATE utf8mb4_bin NOT NULL"))
		}
		var rows []textRow
		for i, text := range hostileTexts {
			rows = append(rows, textRow{ID: int64(i), Text: "<" + text + ">"})
		}
		_, err := db.NewInsert().Model(&rows).Exec(t.Context())
		require.NoError(t, err)
		for i, text := range hostileTexts {
			text = "<" + text + ">"
			for reason, where := range map[string]models.Condition{
				"equal":    models.Filter(map[string]any{"text": text}, "text"),
				"list":     models.In("text", text, "another"),
				"range":    models.Between("text", text, text),
				"pattern":  models.Like("text", models.EscapeLike(text)),
				"contains": models.Contains("text", text),
				"prefix":   models.HasPrefix("text", text),
				"suffix":   models.HasSuffix("text", text),
			} {
				var got []textRow
				q := db.NewSelect().Model(&got).ApplyQueryBuilder(models.Where(where))
				require.NoError(t, q.Scan(t.Context()), q)
				assert.Equal(t, []textRow{{ID: int64(i), Text: text}}, got, "%s: %s", reason, q)
			}
		}
	})
}
