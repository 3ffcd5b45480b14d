package load_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/bindery-go/bindery/bench/internal/load"
)

func TestPercentileOfTimes(t *testing.T) {
	var hundred []time.Duration
	for i := range 100 {
		hundred = append(hundred, time.Duration(i+1))
	}
	assert.Zero(t, load.Percentile(nil, 0.5))
	assert.EqualValues(t, 51, load.Percentile(hundred, 0.5))
	assert.EqualValues(t, 100, load.Percentile(hundred, 0.99))
	assert.EqualValues(t, 100, load.Percentile(hundred, 1))
	assert.Equal(t, 3*time.Second, load.Percentile([]time.Duration{time.Second, 2 * time.Second, 3 * time.Second}, 0.99))
}

func TestMedians(t *testing.T) {
	assert.Zero(t, load.Median(nil))
	assert.Equal(t, 3.0, load.Median([]float64{9, 3, 1}))
	assert.Equal(t, 2.5, load.Median([]float64{4, 1, 2, 3}))
	assert.Zero(t, load.LowerMedian[int](nil))
	assert.Equal(t, 2, load.LowerMedian([]int{3, 1, 2}))
	assert.Equal(t, 2, load.LowerMedian([]int{4, 3, 1, 2}))
}
