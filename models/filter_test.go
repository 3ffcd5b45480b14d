package models_test

import (
	"database/sql"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"

	"github.com/bindery-go/bindery/models"
)

type filterStatus string

func (filterStatus) Values() []filterStatus { return []filterStatus{"draft", "live"} }

type filterName string

type filterAuthor struct {
	bun.BaseModel `bun:"table:filter_authors,alias:fa"`

	ID       int64 `bun:",pk"`
	Name     string
	BossID   int64         `bun:",nullzero"`
	Boss     *filterAuthor `bun:"rel:belongs-to,join:boss_id=id"`
	Posts    []*filterPost `bun:"rel:has-many,join:id=author_id"`
	Password string
}

type filterPost struct {
	bun.BaseModel `bun:"table:filter_posts,alias:p"`
	models.EpochTimestamps

	ID        int64 `bun:",pk"`
	Title     string
	Slug      filterName
	Note      sql.NullString
	Views     *int64
	Score     float64
	Ratio     float32
	Live      bool
	Data      []byte
	Published time.Time `bun:",nullzero"`
	Day       time.Time `bun:"type:date,nullzero"`
	Seen      int64     `models:"epoch:s"`
	Status    models.Enum[filterStatus]
	Tags      models.List[string]
	Touched   int
	AuthorID  int64
	Author    *filterAuthor `bun:"rel:belongs-to,join:author_id=id"`
	Upper     string        `bun:",scanonly"`
}

func moment(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, text)
	require.NoError(t, err)
	return at.UTC()
}

// filterRows makes these posts, where - is NULL:
//
//	id  title    views  score  ratio  live  published             status  author
//	1   50% off  10     1.5    0.1    true  2024-01-30T23:30:00Z  live    1
//	2   50 off   -      2.5    1.1    false 2024-01-31T00:00:00Z  draft   1
//	3   a_b      20     -1     2.2    true  2024-01-31T23:59:59.999999Z live 2
//	4   axb      30     0      0      false 2024-02-01T00:00:00Z  draft   2
//	5   c\d'"    -      1e6    3.3    true  -                     live    2
func filterRows(t *testing.T, db *bun.DB) {
	t.Helper()
	require.NoError(t, models.Register(db, (*filterPost)(nil)))
	createTables(t, db, (*filterAuthor)(nil), (*filterPost)(nil))
	authors := []*filterAuthor{{ID: 1, Name: "ann"}, {ID: 2, Name: "bob", BossID: 1}}
	_, err := db.NewInsert().Model(&authors).Exec(t.Context())
	require.NoError(t, err)
	live, draft := models.MustEnum[filterStatus]("live"), models.MustEnum[filterStatus]("draft")
	n := func(i int64) *int64 { return &i }
	posts := []*filterPost{
		{ID: 1, Title: "50% off", Slug: "s1", Views: n(10), Score: 1.5, Ratio: 0.1, Live: true, Data: []byte{0, 1}, Published: moment(t, "2024-01-30T23:30:00Z"), Status: live, AuthorID: 1},
		{ID: 2, Title: "50 off", Slug: "s2", Note: sql.NullString{String: "n", Valid: true}, Score: 2.5, Ratio: 1.1, Data: []byte("x"), Published: moment(t, "2024-01-31T00:00:00Z"), Status: draft, AuthorID: 1},
		{ID: 3, Title: "a_b", Slug: "s3", Views: n(20), Score: -1, Ratio: 2.2, Live: true, Published: moment(t, "2024-01-31T23:59:59.999999Z"), Status: live, AuthorID: 2},
		{ID: 4, Title: "axb", Slug: "s4", Views: n(30), Published: moment(t, "2024-02-01T00:00:00Z"), Status: draft, AuthorID: 2},
		{ID: 5, Title: `c\d'"`, Slug: "s5", Score: 1e6, Ratio: 3.3, Live: true, Status: live, AuthorID: 2},
	}
	for _, p := range posts {
		if !p.Published.IsZero() {
			p.CreateTime = p.Published.UnixMilli()
			p.Seen = p.Published.Unix()
			p.Day = p.Published.Truncate(24 * time.Hour)
		} else {
			p.CreateTime = moment(t, "2024-03-01T00:00:00Z").UnixMilli()
		}
	}
	// MariaDB's DATETIME has whole seconds unless told.
	if db.Dialect().Name().String() == "mysql" {
		_, err = db.ExecContext(t.Context(), "ALTER TABLE filter_posts MODIFY published DATETIME(6)")
		require.NoError(t, err)
	}
	_, err = db.NewInsert().Model(&posts).Exec(t.Context())
	require.NoError(t, err)
}

// A filterCase is a condition and the posts that it holds for.
type filterCase struct {
	where models.Condition
	want  []int64
}

func filterCases(t *testing.T) map[string]filterCase {
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	midnight := moment(t, "2024-01-31T00:00:00Z")
	nothing := []int64(nil)
	all := []int64{1, 2, 3, 4, 5}
	zero := (*time.Time)(nil)
	m := func(column string, value any) models.Condition {
		return models.Filter(map[string]any{column: value}, column)
	}
	return map[string]filterCase{
		"a value means equal":                        {m("title", "a_b"), []int64{3}},
		"nil means NULL":                             {m("views", nil), []int64{2, 5}},
		"a nil pointer means NULL":                   {m("views", (*int64)(nil)), []int64{2, 5}},
		"an invalid sql.NullInt64 means NULL":        {m("views", sql.NullInt64{}), []int64{2, 5}},
		"a valid one is its value":                   {m("views", sql.NullInt64{Int64: 10, Valid: true}), []int64{1}},
		"a slice means IN":                           {m("id", []int{1, 3, 9}), []int64{1, 3}},
		"a slice of any, as of JSON":                 {m("id", []any{1.0, "3"}), []int64{1, 3}},
		"an empty slice matches nothing":             {m("id", []int{}), nothing},
		"a nil slice matches nothing":                {m("id", []int(nil)), nothing},
		"nil in a slice means NULL too":              {m("views", []any{10, nil}), []int64{1, 2, 5}},
		"a slice of pointers":                        {m("views", []*int64{nil}), []int64{2, 5}},
		"[]byte is a value":                          {m("data", []byte("x")), []int64{2}},
		"[][]byte is a list":                         {m("data", [][]byte{{0, 1}, []byte("x")}), []int64{1, 2}},
		"a value of the field's own type":            {m("status", models.MustEnum[filterStatus]("draft")), []int64{2, 4}},
		"text for a type that reads it":              {m("status", "draft"), []int64{2, 4}},
		"a list of the field's type":                 {m("status", []any{"draft", "live"}), all},
		"a string type":                              {m("slug", []filterName{"s1"}), []int64{1}},
		"a string for a string type":                 {m("slug", "s2"), []int64{2}},
		"sql.NullString":                             {m("note", "n"), []int64{2}},
		"decimal text for an integer":                {m("views", "20"), []int64{3}},
		"a float for an integer":                     {m("views", 20.0), []int64{3}},
		"an integer for a float":                     {m("score", -1), []int64{3}},
		"text for a float":                           {m("score", "2.5"), []int64{2}},
		"a single precision float":                   {m("ratio", float32(1.1)), []int64{2}},
		"a float64 for a single precision one":       {m("ratio", 1.1), []int64{2}},
		"a bool":                                     {m("live", true), []int64{1, 3, 5}},
		"text for a bool":                            {m("live", "false"), []int64{2, 4}},
		"all of several must match":                  {models.Filter(map[string]any{"live": true, "author_id": 2}, "live", "author_id"), []int64{3, 5}},
		"an empty map holds everywhere":              {models.Filter(nil), all},
		"the zero condition holds everywhere":        {models.Condition{}, all},
		"a range of numbers":                         {m("views", models.Range{From: 10, To: 20}), []int64{1, 3}},
		"an array of two is a range":                 {m("views", [2]int{11, 30}), []int64{3, 4}},
		"an array with an open end":                  {m("views", [2]any{11, nil}), []int64{3, 4}},
		"an array with an open beginning":            {m("views", [2]any{nil, 11}), []int64{1}},
		"a range of text, as of a URL":               {m("views", [2]string{"", "20"}), []int64{1, 3}},
		"a range of both ends open holds everywhere": {m("views", models.Range{}), all},
		"a range in JSON":                            {m("views", map[string]any{"from": 20.0, "to": nil}), []int64{3, 4}},
		"a range of floats":                          {m("score", [2]float64{-1, 1.5}), []int64{1, 3, 4}},
		"a range of times includes its ends":         {m("published", [2]time.Time{midnight, moment(t, "2024-02-01T00:00:00Z")}), []int64{2, 3, 4}},
		"a zero time is an open end":                 {m("published", [2]time.Time{{}, midnight}), []int64{1, 2}},
		"a nil pointer is an open end":               {m("published", [2]*time.Time{&midnight, zero}), []int64{2, 3, 4}},
		"an end that is a day includes it":           {m("published", [2]string{"2024-01-31", "2024-01-31"}), []int64{2, 3}},
		"a day at the end, epoch":                    {m("create_time", [2]string{"2024-01-31", "2024-01-31"}), []int64{2, 3}},
		"a day at the end, epoch of seconds":         {m("seen", [2]string{"2024-01-31", "2024-01-31"}), []int64{2, 3}},
		"a day at the end, date":                     {m("day", [2]string{"2024-01-31", "2024-01-31"}), []int64{2, 3}},
		"a time for an epoch column":                 {m("create_time", midnight), []int64{2}},
		"milliseconds for an epoch column":           {m("create_time", midnight.UnixMilli()), []int64{2}},
		"milliseconds as text for an epoch column":   {m("create_time", "1706659200000"), []int64{2}},
		"seconds for an epoch column of seconds":     {m("seen", midnight.Unix()), []int64{2}},
		"a mixin's date column":                      {m("create_date", "2024-01-31"), []int64{2, 3}},
		"a day is all of it":                         {m("published", "2024-01-31"), []int64{2, 3}},
		"a day is all of it, epoch":                  {m("create_time", "2024-01-31"), []int64{2, 3}},
		"a list of days":                             {m("published", []string{"2024-01-30", "2024-02-01"}), []int64{1, 4}},
		"a moment":                                   {m("published", "2024-01-31T00:00:00Z"), []int64{2}},
		"a moment with a space and without a zone":   {m("published", "2024-01-31 00:00"), []int64{2}},
		"a moment with a fraction":                   {m("published", "2024-01-31T23:59:59.999999Z"), []int64{3}},
		"a moment with an offset":                    {m("published", "2024-01-31T01:00:00+01:00"), []int64{2}},
		"a time in another zone":                     {models.Eq("published", midnight.In(berlin)), []int64{2}},
		"a day of another zone":                      {models.InZone(berlin, m("published", "2024-01-31")), []int64{1, 2}},
		"a day of another zone, epoch":               {models.InZone(berlin, m("create_time", "2024-01-31")), []int64{1, 2}},
		"a DATE knows no zone":                       {models.InZone(berlin, m("day", "2024-01-31")), []int64{2, 3}},
		"an offset is stronger than the zone":        {models.InZone(berlin, m("published", "2024-01-31T00:00:00Z")), []int64{2}},
		"Eq":                                         {models.Eq("views", 10), []int64{1}},
		"Eq nil":                                     {models.Eq("views", nil), []int64{2, 5}},
		"Ne leaves out NULL":                         {models.Ne("views", 10), []int64{3, 4}},
		"Ne nil":                                     {models.Ne("views", nil), []int64{1, 3, 4}},
		"Ne a day":                                   {models.Ne("published", "2024-01-31"), []int64{1, 4}},
		"Lt":                                         {models.Lt("views", 20), []int64{1}},
		"Le":                                         {models.Le("views", 20), []int64{1, 3}},
		"Gt":                                         {models.Gt("views", 20), []int64{4}},
		"Ge":                                         {models.Ge("views", 20), []int64{3, 4}},
		"Lt a day":                                   {models.Lt("published", "2024-01-31"), []int64{1}},
		"Le a day":                                   {models.Le("published", "2024-01-31"), []int64{1, 2, 3}},
		"Gt a day":                                   {models.Gt("published", "2024-01-31"), []int64{4}},
		"Ge a day":                                   {models.Ge("published", "2024-01-31"), []int64{2, 3, 4}},
		"In":                                         {models.In("id", 1, 2), []int64{1, 2}},
		"In of a slice":                              {models.In("id", []int64{1, 2}), []int64{1, 2}},
		"In of nothing":                              {models.In("id"), nothing},
		"In of an empty slice":                       {models.In("id", []string{}), nothing},
		"In of a byte slice":                         {models.In("data", []byte("x")), []int64{2}},
		"NotIn":                                      {models.NotIn("id", 1, 2), []int64{3, 4, 5}},
		"NotIn of nothing":                           {models.NotIn("views"), all},
		"NotIn leaves out NULL":                      {models.NotIn("views", 10), []int64{3, 4}},
		"NotIn with nil":                             {models.NotIn("views", 10, nil), []int64{3, 4}},
		"NotIn of nil":                               {models.NotIn("views", nil), []int64{1, 3, 4}},
		"NotIn days":                                 {models.NotIn("published", []string{"2024-01-31"}), []int64{1, 4}},
		"Between":                                    {models.Between("views", 10, 20), []int64{1, 3}},
		"Between of texts":                           {models.Between("slug", "s2", "s3"), []int64{2, 3}},
		"Between the wrong way round":                {models.Between("views", 20, 10), nothing},
		"IsNull":                                     {models.IsNull("published"), []int64{5}},
		"NotNull":                                    {models.NotNull("published"), []int64{1, 2, 3, 4}},
		"Like":                                       {models.Like("title", "a_b"), []int64{3, 4}},
		"Like with an escape":                        {models.Like("title", `a\_b`), []int64{3}},
		"Contains takes % as it is":                  {models.Contains("title", "0%"), []int64{1}},
		"Contains takes a backslash and quotes":      {models.Contains("title", `\d'"`), []int64{5}},
		"HasPrefix takes _ as it is":                 {models.HasPrefix("title", "a_"), []int64{3}},
		"HasSuffix":                                  {models.HasSuffix("title", " off"), []int64{1, 2}},
		"HasPrefix of nothing":                       {models.HasPrefix("title", ""), all},
		"And":                                        {models.And(models.Gt("id", 1), models.Lt("id", 4)), []int64{2, 3}},
		"And of nothing":                             {models.And(), all},
		"Or":                                         {models.Or(models.Eq("id", 1), models.Eq("id", 4)), []int64{1, 4}},
		"Or of nothing":                              {models.Or(), nothing},
		"Or within And":                              {models.And(models.Eq("live", true), models.Or(models.Eq("id", 1), models.Eq("id", 2))), []int64{1}},
		"Not":                                        {models.Not(models.In("id", 1, 2)), []int64{3, 4, 5}},
		"Not of Or":                                  {models.Not(models.Or(models.Eq("id", 1), models.Eq("id", 4))), []int64{2, 3, 5}},
		"Not of what holds everywhere":               {models.Not(models.And()), nothing},
		"Not leaves out NULL":                        {models.Not(models.Eq("views", 10)), []int64{3, 4}},
		"a quote in a value":                         {models.Eq("title", `c\d'"`), []int64{5}},
		"an injection is a text":                     {models.Eq("title", "' OR 1=1 --"), nothing},
		"a placeholder is a text":                    {models.Eq("title", "?0 ?TableName"), nothing},
		"an expression of the program's":             {models.Eq("id", bun.Safe("1 + 1")), []int64{2}},
		"an integer beyond the column's":             {models.Lt("touched", uint64(1)<<63), all},
	}
}

func TestWhere(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		filterRows(t, db)
		for reason, row := range filterCases(t) {
			t.Run(reason, func(t *testing.T) {
				testSelect(t, db, row)
				testUpdate(t, db, row)
				testDelete(t, db, row)
			})
		}
	})
}

func testSelect(t *testing.T, db bun.IDB, row filterCase) {
	var ids []int64
	q := db.NewSelect().Model((*filterPost)(nil)).Column("id").ApplyQueryBuilder(models.Where(row.where)).Order("id")
	require.NoError(t, q.Scan(t.Context(), &ids), q)
	assert.Equal(t, row.want, ids, q)
}

func testUpdate(t *testing.T, db *bun.DB, row filterCase) {
	tx, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, tx.Rollback()) }()
	q := tx.NewUpdate().Model((*filterPost)(nil)).Set("touched = touched + 1").ApplyQueryBuilder(models.Where(row.where))
	if len(row.want) == 5 {
		q.Where("1 = 1") // Bun refuses an update of all rows otherwise
	}
	_, err = q.Exec(t.Context())
	require.NoError(t, err)
	var ids []int64
	require.NoError(t, tx.NewSelect().Model((*filterPost)(nil)).Column("id").Where("touched = 1").Order("id").Scan(t.Context(), &ids))
	assert.Equal(t, row.want, ids)
}

func testDelete(t *testing.T, db *bun.DB, row filterCase) {
	tx, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, tx.Rollback()) }()
	q := tx.NewDelete().Model((*filterPost)(nil)).ApplyQueryBuilder(models.Where(row.where))
	if len(row.want) == 5 {
		q.Where("1 = 1")
	}
	res, err := q.Exec(t.Context())
	require.NoError(t, err)
	n, err := res.RowsAffected()
	require.NoError(t, err)
	assert.Equal(t, int64(len(row.want)), n)
}

func TestWhereRelation(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		filterRows(t, db)
		where := models.Filter(map[string]any{"Author.name": "bob", "Author.Boss.name": "ann"}, "Author.name", "Author.Boss.name")
		var posts []*filterPost
		err := db.NewSelect().Model(&posts).Relation("Author").Relation("Author.Boss").ApplyQueryBuilder(models.Where(where)).
			Apply(models.OrderBy(models.Desc("Author.name"), models.Asc("id"))).Scan(t.Context())
		require.NoError(t, err)
		require.Len(t, posts, 3)
		assert.Equal(t, int64(3), posts[0].ID)
		assert.Equal(t, "ann", posts[0].Author.Boss.Name)

		var authors []*filterAuthor
		err = db.NewSelect().Model(&authors).Relation("Posts", func(q *bun.SelectQuery) *bun.SelectQuery {
			return q.ApplyQueryBuilder(models.Where(models.Eq("live", true)))
		}).Order("id").Scan(t.Context())
		require.NoError(t, err)
		require.Len(t, authors, 2)
		assert.Len(t, authors[0].Posts, 1)
		assert.Len(t, authors[1].Posts, 2)

		sub := db.NewSelect().Model((*filterAuthor)(nil)).Column("id").ApplyQueryBuilder(models.Where(models.Eq("name", "ann")))
		testSelect(t, db, filterCase{models.In("author_id", sub), []int64{1, 2}})
		testSelect(t, db, filterCase{models.NotIn("author_id", sub), []int64{3, 4, 5}})
		testDelete(t, db, filterCase{models.In("author_id", sub), []int64{1, 2}})
	})
}

func badConditions() map[string]models.Condition {
	m := func(column string, value any) models.Condition {
		return models.Filter(map[string]any{column: value}, column)
	}
	return map[string]models.Condition{
		"an unknown column":                m("titel", 1),
		"an unknown column of an operator": models.Eq("titel", 1),
		"a Go field's name":                m("Title", "x"),
		"a column that is only read":       m("upper", "x"),
		"SQL for a name":                   m(`id" = "id" --`, 1),
		"a table before the name":          m("p.id", 1),
		"text on an integer column":        m("id", "abc"),
		"text with a number in front":      m("id", "0abc"),
		"a fraction on an integer column":  m("id", 1.5),
		"a bool on an integer column":      m("id", true),
		"a number on a text column":        m("title", 0),
		"a number on a bool column":        m("live", 1),
		"a number on a time column":        m("published", 5),
		"text on a bool column":            m("live", "perhaps"),
		"no date":                          m("published", "yesterday"),
		"no date on an epoch column":       m("create_time", "2024-13-01"),
		"a date before year 1":             m("published", "0000-01-01"),
		"text on a float column":           m("score", "many"),
		"a NUL character":                  m("title", "a\x00b"),
		"invalid UTF-8":                    m("title", "a\xffb"),
		"no value of the enum":             m("status", "gone"),
		"a struct":                         m("title", struct{ A int }{1}),
		"a map on a text column":           m("title", map[string]any{"from": 1}),
		"a map with other keys":            m("views", map[string]any{"from": 1, "til": 2}),
		"a list in a list":                 m("id", []any{[]any{1}}),
		"an array of three":                m("views", [3]int{}),
		"an array on a text column":        m("title", [2]string{"a", "b"}),
		"one bad value in a list":          m("id", []any{1, "x"}),
		"a bad end of a range":             m("views", [2]any{1, "x"}),
		"a slice for Eq":                   models.Eq("id", []int{1}),
		"nil for Lt":                       models.Lt("id", nil),
		"Like on a number":                 models.Like("id", "1"),
		"Like that ends in a backslash":    models.Like("title", `a\`),
		"a bad part of an Or":              models.Or(models.Eq("id", 1), models.Eq("titel", 1)),
		"a bad part of a Not":              models.Not(models.Eq("titel", 1)),
		"an expression that fails":         models.Eq("id", failingValue{}),
		"a relation to many":               models.Eq("Posts.id", 1),
		"a relation that is not allowed":   models.Filter(map[string]any{"Author.password": "x"}, "Author.name"),
		"a list that allows nothing":       models.Filter(map[string]any{"id": 1}),
		"a column that is not allowed":     models.Filter(map[string]any{"id": 1}, "title"),
	}
}

// TestWhereRefused sees that a filter with a mistake fails the query, whatever it is, and changes no row.
func TestWhereRefused(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		filterRows(t, db)
		for reason, where := range badConditions() {
			t.Run(reason, func(t *testing.T) {
				var refused *models.FilterError
				var ids []int64
				err := db.NewSelect().Model((*filterPost)(nil)).Column("id").ApplyQueryBuilder(models.Where(where)).Scan(t.Context(), &ids)
				require.ErrorAs(t, err, &refused)
				_, err = db.NewSelect().Model((*filterPost)(nil)).ApplyQueryBuilder(models.Where(where)).Count(t.Context())
				require.ErrorAs(t, err, &refused)
				_, err = db.NewUpdate().Model((*filterPost)(nil)).Set("touched = 9").Where("1 = 1").ApplyQueryBuilder(models.Where(where)).Exec(t.Context())
				require.ErrorAs(t, err, &refused)
				_, err = db.NewDelete().Model((*filterPost)(nil)).ApplyQueryBuilder(models.Where(where)).WhereOr("1 = 1").Exec(t.Context())
				require.ErrorAs(t, err, &refused)
			})
		}
		n, err := db.NewSelect().Model((*filterPost)(nil)).Where("touched = 0").Count(t.Context())
		require.NoError(t, err)
		assert.EqualValues(t, 5, n, "rows that a broken filter has left alone")
	})
}

func TestWhereErrors(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		q := db.NewSelect().Model((*filterAuthor)(nil)).ApplyQueryBuilder(models.Where(
			models.Filter(map[string]any{"nmae": 1, "id": "x"}, "id", "name")))
		_, err := q.Count(t.Context())
		assert.EqualError(t, err, "models: filter models_test.filterAuthor by \"id\": not a number of this column's kind\n"+
			"models: models_test.filterAuthor has no column \"nmae\" (did you mean \"name\"?): it has id, name")
		var unknown *models.UnknownColumnError
		require.ErrorAs(t, err, &unknown)
		assert.Equal(t, []string{"id", "name"}, unknown.Columns)

		_, err = db.NewSelect().Model((*filterAuthor)(nil)).ApplyQueryBuilder(models.Where(models.Eq("pasword", "x"))).Count(t.Context())
		assert.EqualError(t, err, "models: models_test.filterAuthor has no column \"pasword\" (did you mean \"password\"?): it has id, name, boss_id, password")

		var model *models.ModelError
		_, err = db.NewSelect().Table("filter_authors").ApplyQueryBuilder(models.Where(models.Eq("id", 1))).Count(t.Context())
		require.ErrorAs(t, err, &model)
	})
}

// TestWhereNotFinite sees that NaN goes to PostgreSQL only: to MySQL 'NaN' is 0, to SQLite a text.
func TestWhereNotFinite(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		filterRows(t, db)
		for _, value := range []any{math.NaN(), math.Inf(-1), "NaN", "inf"} {
			var ids []int64
			err := db.NewSelect().Model((*filterPost)(nil)).Column("id").ApplyQueryBuilder(models.Where(models.Eq("score", value))).Scan(t.Context(), &ids)
			if db.Dialect().Name().String() == "pg" {
				require.NoError(t, err)
				assert.Empty(t, ids)
				continue
			}
			var refused *models.FilterError
			require.ErrorAs(t, err, &refused)
		}
	})
}

// TestWhereInsideRelation sees that a filter where Bun forgets errors fails all the same.
func TestWhereInsideRelation(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		filterRows(t, db)
		var posts []*filterPost
		err := db.NewSelect().Model(&posts).Relation("Author", func(q *bun.SelectQuery) *bun.SelectQuery {
			return q.ApplyQueryBuilder(models.Where(models.Eq("id", 1))) // which posts have, too
		}).Scan(t.Context())
		require.Error(t, err)
		assert.Empty(t, posts)
	})
}

func TestWhereEmptyKeepsBunsGuard(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		filterRows(t, db)
		_, err := db.NewDelete().Model((*filterPost)(nil)).ApplyQueryBuilder(models.Where(models.Filter(nil))).Exec(t.Context())
		require.ErrorContains(t, err, "at least one Where")
	})
}

type softPost struct {
	bun.BaseModel `bun:"table:filter_soft,alias:sp"`

	ID        int64     `bun:",pk"`
	DeletedAt time.Time `bun:",soft_delete,nullzero"`
}

// TestWhereSoftDelete deletes softly, for which Bun writes an update, and then for good.
func TestWhereSoftDelete(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		createTables(t, db, (*softPost)(nil))
		_, err := db.NewInsert().Model(&[]softPost{{ID: 1}, {ID: 2}, {ID: 3}}).Exec(t.Context())
		require.NoError(t, err)
		one := models.Where(models.Eq("id", 1))
		_, err = db.NewDelete().Model((*softPost)(nil)).ApplyQueryBuilder(one).Exec(t.Context())
		require.NoError(t, err)
		n, err := db.NewSelect().Model((*softPost)(nil)).Count(t.Context())
		require.NoError(t, err)
		assert.EqualValues(t, 2, n)
		_, err = db.NewDelete().Model((*softPost)(nil)).ApplyQueryBuilder(models.Where(models.In("id", 1, 2))).ForceDelete().WhereAllWithDeleted().Exec(t.Context())
		require.NoError(t, err)
		n, err = db.NewSelect().Model((*softPost)(nil)).WhereAllWithDeleted().Count(t.Context())
		require.NoError(t, err)
		assert.EqualValues(t, 1, n)
	})
}

func TestWhereOnAnyIDB(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		filterRows(t, db)
		eachIDB(t, db, func(t *testing.T, idb bun.IDB) {
			testSelect(t, idb, filterCase{models.Eq("id", 1), []int64{1}})
		})
	})
}

type failingValue struct{}

func (failingValue) AppendQuery(schema.QueryGen, []byte) ([]byte, error) {
	return nil, errors.New("'; DROP TABLE filter_posts")
}

// TestEmptyRange refuses a range of a map that says nothing, which would leave a delete without its condition.
func TestEmptyRange(t *testing.T) {
	db := newSQLite(t)
	for _, column := range []string{"id", "published"} {
		q := db.NewDelete().Model((*filterPost)(nil)).Where("1 = 1").ApplyQueryBuilder(models.Where(models.Filter(map[string]any{column: map[string]any{}}, column)))
		_, err := q.Exec(t.Context())
		var refused *models.FilterError
		require.ErrorAs(t, err, &refused)
		text, _ := models.PublicText(err)
		require.Equal(t, `"`+column+`": a range in a map has a "from", a "to" or both`, text)
	}
}
