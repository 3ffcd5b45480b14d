package faults

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/router"
)

// TestJudge plants each thing that can become of a write.
func TestJudge(t *testing.T) {
	notDone := &router.UnavailableError{Engine: "accounts/writer", Err: errBroken}
	uncertain := fmt.Errorf("insert: %w", &router.OutcomeUnknownError{Engine: "accounts/writer", Err: errBroken})
	writes := []write{
		{event{}, 1},               // as it should be
		{event{}, 2},               // lost
		{event{}, 3},               // done twice
		{event{err: errBroken}, 4}, // failed, done
		{event{err: errBroken}, 5}, // failed, not done
		{event{err: notDone}, 6},   // as it should be
		{event{err: notDone}, 7},   // done all the same
		{event{err: uncertain}, 8}, // done
		{event{err: uncertain}, 9}, // done twice
	}
	got := judge(writes, map[int64]int{1: 1, 3: 2, 4: 1, 7: 1, 8: 1, 9: 2})
	want := fates{
		acknowledged: 3, lost: 1, twice: 2, failed: 6, failedFound: 4,
		notDone: 2, notDoneFound: 1, uncertain: 2, nothing: 2,
	}
	require.Equal(t, want, got)

	sum := got
	sum.add(got)
	require.Equal(t, fates{
		acknowledged: 6, lost: 2, twice: 4, failed: 12, failedFound: 8,
		notDone: 4, notDoneFound: 2, uncertain: 4, nothing: 4,
	}, sum)
}
