package sqlkind_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/uptrace/bun/dialect"

	"github.com/bindery-go/bindery/router/sqlkind"
)

func TestOtherDialectsAreWrites(t *testing.T) {
	for _, d := range []dialect.Name{dialect.Invalid, dialect.MSSQL, dialect.Oracle, dialect.Name(99)} {
		assert.Equal(t, sqlkind.Write, sqlkind.Of(d, "SELECT 1"), d)
	}
	assert.Equal(t, sqlkind.Write, new(sqlkind.Classifier).Of("SELECT 1"))
}

const pointSelect = `SELECT "u"."id", "u"."name" FROM "users" AS "u" WHERE ("u"."id" = 42)`

func BenchmarkPointSelect(b *testing.B) {
	b.ReportAllocs()
	b.SetBytes(int64(len(pointSelect)))
	for b.Loop() {
		sqlkind.Of(dialect.PG, pointSelect)
	}
}
