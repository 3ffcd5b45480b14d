package slow

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// diary is a ward that notes what is done to whom.
type diary struct {
	start   time.Time
	entries []string
}

func (d *diary) note(what string, replica int) {
	d.entries = append(d.entries, fmt.Sprintf("%v: %s %d", time.Since(d.start), what, replica))
}

func (d *diary) Delay(replica int, by time.Duration) { d.note(fmt.Sprint("delay ", by), replica) }
func (d *diary) Freeze(replica int)                  { d.note("freeze", replica) }
func (d *diary) Thaw(replica int)                    { d.note("thaw", replica) }

var short = plan{
	rounds: 4, replicas: 3, delay: 50 * time.Millisecond,
	lengths: map[state]time.Duration{settling: 5 * time.Second, well: 1 * time.Second, slowed: 2 * time.Second, again: 3 * time.Second, frozen: 4 * time.Second},
}

func TestTheCourse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &diary{start: time.Now()}
		stages, err := short.run(t.Context(), d, d.start, func(int) {})
		require.NoError(t, err)
		assert.Equal(t, []string{"6s: delay 50ms 0", "8s: delay 0s 0", "11s: freeze 0", "15s: thaw 0"}, d.entries[:4])
		assert.Equal(t, []string{"21s: delay 50ms 1", "23s: delay 0s 1", "26s: freeze 1", "30s: thaw 1"}, d.entries[4:8])
		require.Len(t, stages, 5*4)
		assert.Equal(t, stage{round: 0, state: again, patient: 0, from: 8 * time.Second, to: 11 * time.Second}, stages[3])
		assert.Equal(t, stage{round: 3, state: frozen, patient: 0, from: 56 * time.Second, to: 60 * time.Second}, stages[19])
	})
}

// A course that is cut short leaves nobody sick.
func TestTheCourseCutShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 13*time.Second)
		defer cancel()
		d := &diary{start: time.Now()}
		_, err := short.run(ctx, d, d.start, func(int) {})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, "13s: thaw 0", d.entries[len(d.entries)-1])
	})
}

func TestTheStageOfARead(t *testing.T) {
	const s = time.Second
	stages := []stage{
		{state: well, from: 1 * s, to: 2 * s}, {state: slowed, from: 2 * s, to: 4 * s}, {state: again, from: 4 * s, to: 6 * s},
		{state: frozen, from: 6 * s, to: 8 * s}, {state: settling, from: 8 * s, to: 9 * s},
	}
	for name, row := range map[string]struct {
		began, took time.Duration
		want        state
	}{
		"within a stage":                      {1 * s, s / 2, well},
		"begun well, ended sick":              {2*s - 1, 2, slowed},
		"begun sick, ended well":              {4*s - 1, s, slowed},
		"begun sick, ended in the next one":   {3 * s, 4 * s, slowed},
		"begun before the reader hung":        {5 * s, 2 * s, frozen},
		"begun while it hung":                 {7 * s, 3 * s, frozen},
		"begun after it":                      {8 * s, 1, settling},
		"ended at the moment it fell sick":    {1 * s, s, slowed},
		"before the course":                   {0, s / 2, ""},
		"before the course, ended when sick":  {0, 3 * s, ""},
		"after the course":                    {9 * s, 1, ""},
		"well again, ended before it is sick": {4 * s, s, again},
	} {
		var got state
		if st := stageOf(stages, read{began: row.began, took: row.took}); st != nil {
			got = st.state
		}
		assert.Equal(t, row.want, got, name)
	}
}
