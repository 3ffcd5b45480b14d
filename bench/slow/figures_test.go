package slow

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// TestEvaluate lets the sick replica of each round answer late, and a few reads fail.
func TestEvaluate(t *testing.T) {
	const s = time.Second
	var stages []stage
	var reads []read
	for round := range 3 {
		from := time.Duration(round) * 10 * s
		stages = append(stages,
			stage{round, well, round, from, from + s},
			stage{round, slowed, round, from + s, from + 2*s},
			stage{round, again, round, from + 2*s, from + 5*s},
		)
		for i := range 100 {
			at := from + time.Duration(i)*10*time.Millisecond
			usual := time.Duration(round+1) * time.Millisecond
			longer := usual
			if i%25 == 0 {
				longer = 2 * usual
			}
			reads = append(reads, read{at, longer, i % 3})
			slow := read{at + s, 2 * usual, i % 3}
			if slow.from == round {
				slow.took = 10 * usual
			}
			if i == 50 {
				slow.took, slow.from = time.Duration(round+1)*s/2, fromNobody
			}
			reads = append(reads, slow)
			reads = append(reads, read{at + 2*s, usual, round})           // too early to count for the share
			reads = append(reads, read{at + 3*s, usual, (round + 1) % 3}) // which is nothing
		}
	}
	all := evaluate(stages, reads)
	ok, slow, after := all[well], all[slowed], all[again]

	assert.Equal(t, 2*time.Millisecond, ok.p50, "the middle round's")
	assert.Equal(t, 4*time.Millisecond, ok.p99)
	assert.Equal(t, 1.0, ok.ratio)
	assert.Equal(t, 300, ok.reads)
	assert.InDelta(t, 100, ok.patient, 1)

	assert.Equal(t, 4*time.Millisecond, slow.p50)
	assert.Equal(t, s, slow.p99, "the hundredth is the read that failed")
	assert.InDelta(t, 250, slow.ratio, 0.01)
	assert.Equal(t, 3*s/2, slow.worst)
	assert.Equal(t, 3, slow.failed)

	assert.Equal(t, 600, after.reads)
	assert.Equal(t, 300, after.shared)
	assert.Zero(t, after.patient)
}
