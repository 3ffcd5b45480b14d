package nearest

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestName(t *testing.T) {
	names := []string{"writer", "readers", "max_lag", "policy", "pool", "sslmode", "sslrootcert"}
	for reason, row := range map[string]struct{ in, want string }{
		"a letter missing":          {"reader", "readers"},
		"two letters swapped":       {"wirter", "writer"},
		"another case":              {"SSLMode", "sslmode"},
		"a letter too many":         {"maxx_lag", "max_lag"},
		"the closer of two":         {"sslrootcer", "sslrootcert"},
		"nothing is near":           {"timezone", ""},
		"short and wholly other":    {"x", ""},
		"the empty name is no typo": {"", ""},
	} {
		assert.Equal(t, row.want, Name(row.in, names), reason)
	}
}

func TestHint(t *testing.T) {
	assert.Equal(t, ` (did you mean "pool"?)`, Hint("pol", []string{"pool"}))
	assert.Empty(t, Hint("quite_different", []string{"pool"}))
}
