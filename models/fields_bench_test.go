package models_test

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun/dialect/pgdialect"

	"github.com/bindery-go/bindery/models"
)

// BenchmarkFieldWrite writes one column into a statement; "bun" is the column's own Go type.
func BenchmarkFieldWrite(b *testing.B) {
	db := costDB(b, pgdialect.New())
	ours, raw := costRows(b)
	for _, f := range db.Table(reflect.TypeFor[costField]()).Fields {
		rf, err := db.Table(reflect.TypeFor[rawField]()).Field(f.Name)
		require.NoError(b, err)
		out := make([]byte, 0, 4096)
		b.Run(f.Name+"/models", func(b *testing.B) {
			b.ReportAllocs()
			for v := reflect.ValueOf(ours).Elem(); b.Loop(); {
				out = f.AppendValue(db.QueryGen(), out[:0], v)
			}
		})
		b.Run(f.Name+"/bun", func(b *testing.B) {
			b.ReportAllocs()
			for v := reflect.ValueOf(raw).Elem(); b.Loop(); {
				out = rf.AppendValue(db.QueryGen(), out[:0], v)
			}
		})
	}
}

// BenchmarkFieldRead reads one column into a new row, whose allocation counts.
func BenchmarkFieldRead(b *testing.B) {
	db := costDB(b, pgdialect.New())
	ours, raw := costRows(b)
	for _, f := range db.Table(reflect.TypeFor[costField]()).Fields {
		rf, err := db.Table(reflect.TypeFor[rawField]()).Field(f.Name)
		require.NoError(b, err)
		src := fieldSource(b, raw, f.Name)
		rawSrc := src
		if f.Name == "state" {
			src = sealed(b, ours.State)
		}
		b.Run(f.Name+"/models", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				require.NoError(b, f.ScanValue(reflect.New(reflect.TypeOf(*ours)).Elem(), src))
			}
		})
		b.Run(f.Name+"/bun", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				require.NoError(b, rf.ScanValue(reflect.New(reflect.TypeOf(*raw)).Elem(), rawSrc))
			}
		})
	}
}

// BenchmarkFieldsRoundTrip inserts 100 rows with every field and reads them back.
func BenchmarkFieldsRoundTrip(b *testing.B) {
	db := newSQLite(b)
	require.NoError(b, models.Register(db, (*costField)(nil)))
	_, err := db.NewCreateTable().Model((*costField)(nil)).Exec(b.Context())
	require.NoError(b, err)
	ours, raw := costRows(b)
	rows, raws := make([]costField, 100), make([]rawField, 100)
	for i := range rows {
		rows[i], raws[i] = *ours, *raw
	}
	for name, test := range map[string]struct{ in, out any }{
		"models": {&rows, &[]costField{}},
		"bun":    {&raws, &[]rawField{}},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, err := db.NewInsert().Model(test.in).Exec(b.Context())
				require.NoError(b, err)
				require.NoError(b, db.NewSelect().Model(test.out).Scan(b.Context()))
				_, err = db.NewTruncateTable().Model(test.in).Exec(b.Context())
				require.NoError(b, err)
			}
		})
	}
}

// BenchmarkEncrypted encrypts and decrypts a short text and a long one.
func BenchmarkEncrypted(b *testing.B) {
	for _, size := range []int{16, 64 << 10} {
		plain := string(make([]byte, size))
		var v models.Encrypted[string, costCard]
		b.Run(fmt.Sprintf("set/%d", size), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(size))
			for b.Loop() {
				require.NoError(b, v.Set(b.Context(), plain, 7))
			}
		})
		b.Run(fmt.Sprintf("get/%d", size), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(size))
			for b.Loop() {
				_, err := v.Get(b.Context(), 7)
				require.NoError(b, err)
			}
		})
	}
}
