package models_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/dialect/mysqldialect"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	"github.com/uptrace/bun/schema"

	"github.com/bindery-go/bindery/models"
)

type taggedField struct {
	bun.BaseModel `bun:"table:tagged_fields"`

	ID   int64           `bun:",pk"`
	Body models.LongText `bun:"type:varchar(40),notnull,default:'x'"`
	embeddedField
	Part embeddedField `bun:"embed:part_"`
}

type embeddedField struct {
	Notes models.LongText
	Data  models.JSON[[]int]
}

func TestColumnTypesOfTagsAndEmbeddedStructs(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		require.NoError(t, models.Register(db, (*taggedField)(nil)))
		createTables(t, db, (*taggedField)(nil))
		ddl := db.NewCreateTable().Model((*taggedField)(nil)).String()
		i := dialectIndex[db.Dialect().Name()]
		for column, def := range map[string]string{
			"body":       "varchar(40) NOT NULL DEFAULT 'x'",
			"notes":      everyType["body"][i],
			"part_notes": everyType["body"][i],
			"part_data":  everyType["address"][i],
		} {
			require.Contains(t, ddl, string(db.QueryGen().AppendIdent(nil, column))+" "+def+",")
		}
		row := &taggedField{ID: 1, Body: "b", embeddedField: embeddedField{Notes: "n"}}
		row.Part.Data.V = []int{2, 1}
		exec(t, db.NewInsert().Model(row))
		got := taggedField{ID: 1}
		require.NoError(t, db.NewSelect().Model(&got).WherePK().Scan(t.Context()))
		require.Equal(t, "[]", strings.TrimSpace(scalar(t, db, "SELECT data FROM tagged_fields")))
		got.Data.V = nil // [] reads as empty
		require.Equal(t, *row, got)
	})
}

type forgottenField struct {
	bun.BaseModel `bun:"table:forgotten_fields"`

	ID    int64 `bun:",pk"`
	Body  models.LongText
	Cache models.Serialized[string]
}

// Register was forgotten: what does not fit is an error, never a part of a value.
func TestForgottenRegister(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		createTables(t, db, (*forgottenField)(nil))
		_, err := db.NewInsert().Model(&forgottenField{ID: 1, Body: models.LongText(strings.Repeat("x", 256))}).Exec(t.Context())
		if db.Dialect().Name() == dialect.SQLite {
			require.NoError(t, err)
			return
		}
		require.Error(t, err)
		require.Equal(t, "0", scalar(t, db, "SELECT count(*) FROM forgotten_fields"))
	})
}

// A DB that was not told of the models reads and writes the columns that a migration made right.
func TestFieldsUnregistered(t *testing.T) {
	dialects := map[dialect.Name]func() schema.Dialect{
		dialect.PG:     func() schema.Dialect { return pgdialect.New() },
		dialect.MySQL:  func() schema.Dialect { return mysqldialect.New() },
		dialect.SQLite: func() schema.Dialect { return sqlitedialect.New() },
	}
	eachDB(t, func(t *testing.T, db *bun.DB) {
		everyTable(t, db)
		other := bun.NewDB(db.DB, dialects[db.Dialect().Name()]())
		rows := []*everyField{everyRow(t, 1), {ID: 2, OwnerID: 1}}
		exec(t, other.NewInsert().Model(&rows))
		exec(t, other.NewUpdate().Model(rows[0]).WherePK())
		var got []everyField
		require.NoError(t, other.NewSelect().Model(&got).Order("id").Scan(t.Context()))
		sameFields(t, rows[0], &got[0])
		sameFields(t, rows[1], &got[1])
	})
}

func TestRegisterRefuses(t *testing.T) {
	db := newSQLite(t)
	for name, test := range map[string]struct {
		model any
		err   string
	}{
		"nothing":         {nil, "models: register <nil>: not a model: pass (*Model)(nil)"},
		"no struct":       {new(int), "models: register *int: not a model: pass (*Model)(nil)"},
		"another column":  {(*misplacedField)(nil), "models: register misplaced_fields.phone: models_test.misplacedCard says that it is misplaced_fields.card: give each encrypted column a type of its own"},
		"no keys":         {(*keylessField)(nil), "models: register keyless_fields.card: the column's Encryption has no Keys"},
		"no values":       {(*valuelessField)(nil), "models: register valueless_fields.kind: models: enum models_test.valueless: no values"},
		"bytes as a list": {(*byteListField)(nil), "models: register byte_list_fields.data: a list of bytes is no JSON array: use []byte"},
	} {
		require.EqualError(t, models.Register(db, test.model), test.err, name)
	}
	require.NoError(t, models.Register(db, &everyField{}, []everyField{}, &[]*everyField{}))
	require.NoError(t, models.Register(db, (*renamedField)(nil)))
}

type misplacedCard struct{}

func (misplacedCard) Encryption() models.Encryption {
	return models.Encryption{Table: "misplaced_fields", Column: "card", Keys: testKeys}
}

type misplacedField struct {
	Card  models.Encrypted[string, misplacedCard]
	Phone models.Encrypted[string, misplacedCard]
}

type renamedCard struct{}

func (renamedCard) Encryption() models.Encryption {
	return models.Encryption{Table: "old_name", Column: "card", Renamed: true, Keys: testKeys}
}

type renamedField struct {
	Card models.Encrypted[string, renamedCard]
}

type keylessCard struct{}

func (keylessCard) Encryption() models.Encryption {
	return models.Encryption{Table: "keyless_fields", Column: "card"}
}

type keylessField struct {
	Card models.Encrypted[string, keylessCard]
}

type valueless string

func (valueless) Values() []valueless { return nil }

type valuelessField struct {
	Kind models.Enum[valueless]
}

type byteListField struct {
	Data models.List[byte]
}

func TestRegisterOverlaps(t *testing.T) {
	db := newSQLite(t)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() { require.NoError(t, models.Register(db, (*fieldOwner)(nil), (*taggedField)(nil))) })
	}
	group.Wait()
	require.Contains(t, db.NewCreateTable().Model((*everyField)(nil)).String(), `"cache" BLOB`)
}
