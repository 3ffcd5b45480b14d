package models

import "testing"

// BenchmarkCursor makes and reads the cursor of an order by two columns.
func BenchmarkCursor(b *testing.B) {
	r := fuzzRenderers()[0]
	columns, err := r.sortColumns(Order{Asc("title"), Asc("id")})
	if err != nil {
		b.Fatal(err)
	}
	values := []cursorValue{{cursorText, "a title of some words"}, {cursorText, "1234567"}}
	b.Run("make", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := r.cursors("", "", columns, processSeal()).encode(values); err != nil {
				b.Fatal(err)
			}
		}
	})
	text, err := r.cursors("", "", columns, processSeal()).encode(values)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("read", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := r.cursors("", "", columns, processSeal()).decode(text); err != nil {
				b.Fatal(err)
			}
		}
	})
}
