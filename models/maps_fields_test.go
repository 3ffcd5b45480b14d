package models_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/models"
)

// TestMapsOfFieldTypes sees that field types take from a map what a database or JSON would give.
func TestMapsOfFieldTypes(t *testing.T) {
	type typed struct {
		ID    int64 `bun:",pk"`
		Attrs models.JSON[map[string]int]
		Tags  models.List[string]
		Text  models.LongText
	}
	var row typed
	require.NoError(t, models.FromMap(map[string]any{"attrs": map[string]any{"a": 1.0}, "tags": []any{"x"}, "text": "long"}, &row, "attrs", "tags", "text"))
	m, err := models.ToMap(row)
	require.NoError(t, err)
	var again typed
	require.NoError(t, models.FromMap(m, &again, slices.Collect(maps.Keys(m))...))
	assert.Equal(t, row, again)
	assert.ErrorContains(t, models.FromMap(map[string]any{"tags": "{"}, &row, "tags"), `column "tags"`)
}
