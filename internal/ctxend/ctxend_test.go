package ctxend_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/bindery-go/bindery/internal/ctxend"
)

// late is a context whose deadline has passed and whose timer has not fired yet.
type late struct{ context.Context }

func (late) Deadline() (time.Time, bool) { return time.Now().Add(-1), true }

func TestErr(t *testing.T) {
	assert.NoError(t, ctxend.Err(t.Context()))
	far, cancel := context.WithTimeout(t.Context(), time.Hour)
	assert.NoError(t, ctxend.Err(far))
	cancel()
	assert.Equal(t, context.Canceled, ctxend.Err(far))
	assert.NoError(t, late{t.Context()}.Err())
	assert.Equal(t, context.DeadlineExceeded, ctxend.Err(late{t.Context()}))
}
