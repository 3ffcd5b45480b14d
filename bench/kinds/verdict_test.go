package kinds

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestJudge(t *testing.T) {
	primary, replica, no := note{primary: true}, note{}, note{refused: true}
	read, write := &statement{}, &statement{primary: writes}
	ran := func(notes ...note) attempt { return attempt{notes: notes} }
	broke := func(notes ...note) attempt { return attempt{notes: notes, err: errors.New("no")} }
	for name, row := range map[string]struct {
		s    *statement
		seen []attempt
		want verdict
	}{
		"read on a replica":                         {read, []attempt{ran(replica)}, right},
		"read on a replica now and then":            {read, []attempt{ran(primary), ran(replica), ran(primary)}, right},
		"read on the primary always":                {read, []attempt{ran(primary), ran(primary)}, needless},
		"read refused by the library":               {read, []attempt{broke()}, refused},
		"write on the primary":                      {write, []attempt{ran(primary), ran(primary)}, right},
		"write on the primary, an error":            {write, []attempt{broke(primary)}, right},
		"write on a replica that runs it":           {write, []attempt{ran(replica)}, silent},
		"write on a replica once in a while":        {write, []attempt{ran(primary), ran(primary), ran(replica)}, silent},
		"write on a replica that refuses":           {write, []attempt{broke(no)}, failed},
		"refused, then on the primary":              {write, []attempt{ran(no, primary)}, recovered},
		"refused, then on the primary, an error":    {write, []attempt{broke(no, primary)}, failed},
		"refused, and the library says it was done": {write, []attempt{ran(no)}, failed},
		"on the primary, then on a replica":         {write, []attempt{ran(primary, replica)}, silent},
		"recovered once, failed once":               {write, []attempt{ran(no, primary), broke(no)}, failed},
		"failed once, recovered once":               {write, []attempt{broke(no), ran(no, primary)}, failed},
		"recovered always but once on the primary":  {write, []attempt{ran(primary), ran(no, primary)}, recovered},
		"write refused by the library":              {write, []attempt{broke(), broke()}, refused},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := judge(row.s, row.seen)
			require.NoError(t, err)
			assert.Equal(t, marks[row.want], marks[got])
		})
	}
	_, err := judge(write, []attempt{ran(primary), ran()})
	assert.ErrorIs(t, err, errLost)
}

func TestRecorder(t *testing.T) {
	r := new(recorder)
	r.expect(true)
	assert.ErrorIs(t, r.note("replica-1", "a", nil), errReadOnly)
	assert.NoError(t, r.note(primaryName, "b", nil))
	assert.Equal(t, []note{{text: "a", refused: true}, {text: "b", primary: true}}, r.notes())
	r.expect(false)
	assert.Empty(t, r.notes())
	assert.NoError(t, r.note("replica-1", "c", nil))
	assert.Equal(t, []note{{text: "c"}}, r.notes())
}

func TestCode(t *testing.T) {
	assert.Equal(t, "`SELECT 1⏎FROM t`", code("SELECT 1\nFROM t"))
	assert.Equal(t, "`` SELECT `a` ``", code("SELECT `a`"))
}
