package bindtest

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/binds"
)

type marker struct{}

func (marker) BindKey() binds.Key { return "bindtest" }

type mixin struct {
	marker
	Note string
}

type byValue struct {
	bun.BaseModel `bun:"table:bindtest_marked"`
	marker
	ID int64 `bun:",pk"`
}

type byMixin struct {
	bun.BaseModel `bun:"table:bindtest_marked"`
	mixin
	ID int64 `bun:",pk"`
}

// Exported is a marker that Bun sees as a field.
type Exported struct{}

// BindKey makes Exported a marker.
func (Exported) BindKey() binds.Key { return "bindtest" }

type byExported struct {
	bun.BaseModel `bun:"table:bindtest_marked"`
	Exported
	ID int64 `bun:",pk"`
}

type byPointer struct {
	bun.BaseModel `bun:"table:bindtest_marked"`
	*Exported
	ID int64 `bun:",pk"`
}

// A marker makes no column: the tables have the model's other fields alone.
func (s *suite) markers(t *testing.T) {
	for reason, row := range map[string]struct {
		model   any
		columns []string
	}{
		"by value":                  {(*byValue)(nil), []string{"id"}},
		"inside an embedded mixin":  {(*byMixin)(nil), []string{"note", "id"}},
		"exported":                  {(*byExported)(nil), []string{"id"}},
		"exported, by pointer":      {(*byPointer)(nil), []string{"id"}},
		"a model without a marker":  {(*unmarked)(nil), []string{"id"}},
		"a marker that is no field": {(*selfMarked)(nil), []string{"id"}},
	} {
		t.Run(reason, func(t *testing.T) { s.hasColumns(t, row.model, row.columns) })
	}
}

type unmarked struct {
	bun.BaseModel `bun:"table:bindtest_marked"`
	ID            int64 `bun:",pk"`
}

type selfMarked struct {
	bun.BaseModel `bun:"table:bindtest_marked"`
	ID            int64 `bun:",pk"`
}

func (selfMarked) BindKey() binds.Key { return "bindtest" }

func (s *suite) hasColumns(t *testing.T, model any, want []string) {
	w := s.writer(t)
	db := s.bun(w)
	_, err := db.NewDropTable().Model(model).IfExists().Exec(ctx(t))
	require.NoError(t, err)
	_, err = db.NewCreateTable().Model(model).Exec(ctx(t))
	require.NoError(t, err)
	t.Cleanup(func() {
		_, err := db.NewDropTable().Model(model).Exec(cleanupCtx(t))
		assert.NoError(t, err)
	})
	rows, err := w.DB().QueryContext(ctx(t), "SELECT * FROM bindtest_marked")
	require.NoError(t, err)
	columns, err := rows.Columns()
	require.NoError(t, err)
	require.NoError(t, rows.Close())
	assert.ElementsMatch(t, want, columns)
}
