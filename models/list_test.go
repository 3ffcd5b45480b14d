package models_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/schema"

	"github.com/bindery-go/bindery/models"
)

type post struct {
	bun.BaseModel `bun:"table:list_posts,alias:post"`

	ID     int64 `bun:",pk"`
	Tags   models.List[string]
	Scores models.List[float64]
	Flags  models.List[bool] `bun:",nullzero"`
	Places models.List[address]
}

func TestListElements(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		require.NoError(t, models.Register(db, (*post)(nil)))
		createTables(t, db, (*post)(nil))
		if db.Dialect().Name() == dialect.PG {
			exec(t, db.NewRaw("CREATE INDEX ON list_posts USING gin (tags)"))
		}
		exec(t, db.NewInsert().Model(&[]post{
			{ID: 1, Tags: models.List[string]{"red", `it's "\`, "5", "Ü"}, Scores: models.List[float64]{5, -1.5}, Flags: models.List[bool]{true}},
			{ID: 2, Tags: models.List[string]{"redder", "true"}, Scores: models.List[float64]{1e300}, Flags: models.List[bool]{false}},
			{ID: 3},
		}))
		for name, test := range map[string]struct {
			where schema.QueryAppender
			want  []int64
		}{
			"a text":             {models.ListHas("tags", "red"), []int64{1}},
			"of a table":         {models.ListHas("post.tags", "redder"), []int64{2}},
			"quotes":             {models.ListHas("tags", `it's "\`), []int64{1}},
			"beyond ASCII":       {models.ListHas("tags", "Ü"), []int64{1}},
			"a named type":       {models.ListHas("tags", status("red")), []int64{1}},
			"digits are a text":  {models.ListHas("tags", "5"), []int64{1}},
			"no number among it": {models.ListHas("tags", 5), nil},
			"a number":           {models.ListHas("scores", 5), []int64{1}},
			"a fraction":         {models.ListHas("scores", -1.5), []int64{1}},
			"no text among them": {models.ListHas("scores", "5"), nil},
			"a bool":             {models.ListHas("flags", true), []int64{1}},
			"the other":          {models.ListHas("flags", false), []int64{2}},
			"nothing like it":    {models.ListHas("tags", "') OR 1=1 --"), nil},
		} {
			var ids []int64
			require.NoError(t, db.NewSelect().Model((*post)(nil)).Column("id").Where("?", test.where).Order("id").Scan(t.Context(), &ids), name)
			require.Equal(t, test.want, ids, name)
		}
		require.Error(t, db.NewSelect().Model((*post)(nil)).Where("?", models.ListHas("places", address{})).Scan(t.Context(), &[]post{}))
	})
}

func TestListNullAndEmpty(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		require.NoError(t, models.Register(db, (*post)(nil)))
		createTables(t, db, (*post)(nil))
		exec(t, db.NewInsert().Model(&[]post{
			{ID: 1},
			{ID: 2, Tags: models.List[string]{}, Flags: models.List[bool]{}},
			{ID: 3, Places: models.List[address]{{City: "b"}, {City: "a"}, {City: "b"}}},
		}))
		require.Equal(t, "[]", scalar(t, db, "SELECT tags FROM list_posts WHERE id = 1"))
		require.Equal(t, "NULL", scalar(t, db, "SELECT flags FROM list_posts WHERE id = 1"), "nil with nullzero")
		require.Equal(t, "[]", scalar(t, db, "SELECT flags FROM list_posts WHERE id = 2"), "empty with nullzero")
		var got []post
		require.NoError(t, db.NewSelect().Model(&got).Order("id").Scan(t.Context()))
		require.Nil(t, got[0].Flags)
		require.Equal(t, models.List[bool]{}, got[1].Flags)
		require.Equal(t, models.List[string]{}, got[0].Tags)
		require.Equal(t, models.List[address]{{City: "b"}, {City: "a"}, {City: "b"}}, got[2].Places)
	})
}

func TestListKeepsNothing(t *testing.T) {
	old := models.List[int]{1, 2, 3}
	l := old
	require.NoError(t, l.Scan([]byte("[9]")))
	require.Equal(t, models.List[int]{9}, l)
	require.Equal(t, models.List[int]{1, 2, 3}, old)
	require.NoError(t, l.Scan([]byte("null")))
	require.Nil(t, l)
	l = old
	require.EqualError(t, l.Scan("{}"), "models: read a list as []int: json: cannot unmarshal object into Go value of type []int")
	require.Nil(t, l)
}

func TestListInJSON(t *testing.T) {
	text, err := json.Marshal(post{Tags: models.List[string]{"b", "a"}})
	require.NoError(t, err)
	require.JSONEq(t, `{"ID":0,"Tags":["b","a"],"Scores":[],"Flags":[],"Places":[]}`, string(text))
	var back post
	require.NoError(t, json.Unmarshal(text, &back))
	require.Equal(t, models.List[string]{"b", "a"}, back.Tags)
}
