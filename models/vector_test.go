package models_test

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"math"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dbfixture"
	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/dialect/feature"
	"github.com/uptrace/bun/dialect/mysqldialect"

	"github.com/bindery-go/bindery/models"
)

// A passage holds a vector in each way that a model can.
type passage struct {
	bun.BaseModel `bun:"table:vector_passages"`

	ID        int64          `bun:",pk"`
	Embedding models.Vector  `bun:"type:vector(3)"`
	Maybe     *models.Vector `bun:"type:vector(2)"`
	Bytes     []byte         `bun:"type:vector(1)"`
}

// createPassages makes the table, with binary columns where the server knows no vectors.
func createPassages(t *testing.T, db *bun.DB) {
	t.Helper()
	require.NoError(t, models.Register(db, (*passage)(nil)))
	server := databaseOf(db).server
	if db.Dialect().Name() == dialect.SQLite || server.AtLeast("MySQL", 9) || server.AtLeast("MariaDB", 11, 7) {
		createTables(t, db, (*passage)(nil))
		return
	}
	binary := "VARBINARY(12)"
	if db.Dialect().Name() == dialect.PG {
		binary = "BYTEA"
	}
	exec(t, db.NewDropTable().Model((*passage)(nil)).IfExists())
	exec(t, db.NewRaw("CREATE TABLE vector_passages (id BIGINT PRIMARY KEY, embedding ?0, maybe ?0, bytes ?0)", bun.Safe(binary)))
	t.Cleanup(func() {
		_, err := db.ExecContext(context.WithoutCancel(t.Context()), "DROP TABLE vector_passages")
		require.NoError(t, err)
	})
}

// hostileVectors have every kind of float, and bytes that are quotes, brackets and zeros.
var hostileVectors = []models.Vector{
	{0, 1, -1.5},
	{float32(math.Copysign(0, -1)), -1e18, math.SmallestNonzeroFloat32},
	{math.Float32frombits(0x27272727), math.Float32frombits(0x5c5c5c5c), math.Float32frombits(0x5d31325b)},
	{0, 0, 0},
	{1, 2, 3},
}

func passages() (rows []*passage) {
	for i, v := range hostileVectors {
		rows = append(rows, &passage{ID: int64(i), Embedding: v})
	}
	rows[0].Maybe, rows[0].Bytes = &models.Vector{4, 5}, []byte{0, 0, 0x80, 0x3f}
	return append(rows, &passage{ID: 99})
}

func passageIDs(t *testing.T, db *bun.DB, is models.Condition) []int64 {
	t.Helper()
	var ids []int64
	q := db.NewSelect().Model((*passage)(nil)).Column("id").ApplyQueryBuilder(models.Where(is)).Order("id")
	require.NoError(t, q.Scan(t.Context(), &ids), q)
	return ids
}

func TestVectors(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		createPassages(t, db)
		if db.Dialect().Name() == dialect.PG {
			_, err := db.NewInsert().Model(passages()[1]).Exec(t.Context())
			require.Error(t, err, "no vector is known there")
			_, err = db.NewInsert().Model(&passage{ID: 1}).Exec(t.Context())
			require.NoError(t, err, "NULL is")
			return
		}
		check := func(want []*passage) {
			t.Helper()
			var got []*passage
			require.NoError(t, db.NewSelect().Model(&got).Order("id").Scan(t.Context()))
			require.Equal(t, want, got)
		}
		want := passages()
		exec(t, db.NewInsert().Model(&want))
		check(want)
		assert.True(t, math.Signbit(float64(want[1].Embedding[0])))

		for i, v := range hostileVectors {
			for name, is := range map[string]models.Condition{
				"equal": models.Eq("embedding", v), "one of two": models.In("embedding", v, models.Vector{7, 7, 7}),
				"in a map": models.Filter(map[string]any{"embedding": v}, "embedding"), "not another": models.Not(models.Ne("embedding", v)),
			} {
				require.Equal(t, []int64{int64(i)}, passageIDs(t, db, is), name)
			}
		}
		assert.Equal(t, []int64{4}, passageIDs(t, db, models.Eq("embedding", "[1, 2, 3]")), "a JSON array")
		assert.Equal(t, []int64{99}, passageIDs(t, db, models.Eq("embedding", nil)))
		assert.Equal(t, []int64{0}, passageIDs(t, db, models.Eq("maybe", models.Vector{4, 5})))
		assert.Equal(t, []int64{0}, passageIDs(t, db, models.Eq("bytes", want[0].Bytes)))

		want[0].Embedding, want[0].Maybe = models.Vector{9, 9, 9}, nil
		exec(t, db.NewUpdate().Model(want[0]).WherePK())
		want[1].Embedding = nil
		exec(t, db.NewUpdate().Model((*passage)(nil)).Set("embedding = ?", want[1].Embedding).Where("id = 1"))
		check(want)
		if db.HasFeature(feature.WithValues) && db.Dialect().Name() == dialect.MySQL {
			want[2].Embedding, want[3].Embedding = models.Vector{2, 2, 2}, models.Vector{3, 3, 3}
			some := want[2:4]
			exec(t, db.NewUpdate().Model(&some).Column("embedding").Bulk())
			check(want)
		}
		exec(t, db.NewDelete().Model((*passage)(nil)).ApplyQueryBuilder(models.Where(models.In("embedding", want[0].Embedding))))
		check(want[1:])

		taken := []passage{{ID: 2, Embedding: models.Vector{8, 8, 8}}, {ID: 2, Embedding: models.Vector{8, 8, 8}}, {ID: 50, Embedding: models.Vector{5, 5, 5}}}
		_, err := models.BulkInsert(t.Context(), db, taken, models.IgnoreConflicts())
		require.NoError(t, err)
		require.Equal(t, []int64{}, append([]int64{}, passageIDs(t, db, models.Eq("embedding", taken[0].Embedding))...))
		_, err = models.BulkInsert(t.Context(), db, taken[1:], models.ReplaceOnConflict(nil, "embedding"))
		require.NoError(t, err)
		require.Equal(t, []int64{2}, passageIDs(t, db, models.Eq("embedding", taken[0].Embedding)))

		greatest := passage{ID: 60, Embedding: models.Vector{math.MaxFloat32, 0, 0}}
		if _, err = db.NewInsert().Model(&greatest).Exec(t.Context()); databaseOf(db).server.AtLeast("MariaDB", 11, 7) {
			require.ErrorContains(t, err, "1292", "the squares must have a sum")
		} else {
			require.NoError(t, err)
			require.Equal(t, []int64{60}, passageIDs(t, db, models.Eq("embedding", greatest.Embedding)))
		}

		db.RegisterModel((*passage)(nil))
		data := "- model: Passage\n  rows:\n    - {id: 70, embedding: [0.5, 2, -3]}\n"
		require.NoError(t, dbfixture.New(db).Load(t.Context(), fstest.MapFS{"f.yml": {Data: []byte(data)}}, "f.yml"))
		require.Equal(t, []int64{70}, passageIDs(t, db, models.Eq("embedding", models.Vector{0.5, 2, -3})))
	})
}

// TestVectorsRefuse sees that nothing is stored of what is no vector of the column's.
func TestVectorsRefuse(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	eachDB(t, func(t *testing.T, db *bun.DB) {
		createPassages(t, db)
		for reason, row := range map[string]*passage{
			"NaN": {Embedding: models.Vector{1, nan, 1}}, "infinity": {Embedding: models.Vector{1, 1, -inf}},
			"too short": {Embedding: models.Vector{1, 2}}, "too long": {Embedding: models.Vector{1, 2, 3, 4}}, "empty": {Embedding: models.Vector{}},
			"too long, by a pointer": {Maybe: &models.Vector{1, 2, 3}}, "empty, by a pointer": {Maybe: &models.Vector{}},
		} {
			_, err := db.NewInsert().Model(row).Exec(t.Context())
			require.Error(t, err, reason)
			_, err = models.BulkInsert(t.Context(), db, []*passage{row})
			require.Error(t, err, reason)
		}
		n, err := db.NewSelect().Model((*passage)(nil)).Count(t.Context())
		require.NoError(t, err)
		require.Zero(t, n)
	})
	for reason, row := range map[string]struct {
		v    models.Vector
		want string
	}{
		"NaN":      {models.Vector{1, nan}, "models: encode models.Vector: element 1 is NaN"},
		"infinity": {models.Vector{-inf}, "models: encode models.Vector: element 0 is -Inf"},
		"empty":    {models.Vector{}, "models: encode models.Vector: it has no element"},
	} {
		_, err := row.v.Value()
		require.EqualError(t, err, row.want, reason)
		_, err = row.v.AppendQuery(bun.NewDB(nil, withoutServer{mysqldialect.New()}).QueryGen(), nil)
		require.EqualError(t, err, row.want, reason)
	}
	type unmeasured struct{ Embedding models.Vector }
	require.EqualError(t, models.Register(newSQLite(t), (*unmeasured)(nil)),
		`models: register unmeasureds.embedding: a vector's column needs its length, such as bun:"type:vector(384)"`)
}

func TestVectorWithoutADatabase(t *testing.T) {
	v := models.Vector{1, -2}
	data, err := v.Value()
	require.NoError(t, err)
	assert.Equal(t, driver.Value([]byte("\x00\x00\x80\x3f\x00\x00\x00\xc0")), data)
	none, err := models.Vector(nil).Value()
	require.NoError(t, err)
	assert.Nil(t, none)

	text, err := json.Marshal(v)
	require.NoError(t, err)
	assert.Equal(t, "[1,-2]", string(text))
	for src, want := range map[any]string{
		"[1, 2":  "models: read a vector as models.Vector: unexpected end of JSON input",
		"":       "models: read a vector as models.Vector: unexpected end of JSON input",
		int64(3): "models: read a vector as models.Vector: the driver gave a int64",
	} {
		got := models.Vector{1}
		require.EqualError(t, got.Scan(src), want)
		assert.Nil(t, got)
	}
	require.EqualError(t, v.Scan([]byte("12345")), "models: read a vector as models.Vector: it has 5 bytes, want 4 for each element")
	require.Error(t, v.Scan([]byte{}))
	shared := []byte{0, 0, 0x80, 0x3f}
	require.NoError(t, v.Scan(shared))
	shared[3] = 0
	assert.Equal(t, models.Vector{1}, v, "the driver's bytes are not kept")
}
