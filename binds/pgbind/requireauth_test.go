package pgbind

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRequireAuth(t *testing.T) {
	for value, row := range map[string]struct {
		allowed string
		wrong   string
	}{
		"scram-sha-256":                       {"scram-sha-256", ""},
		"scram-sha-256,none":                  {"none scram-sha-256", ""},
		"password,md5,gss":                    {"password md5", ""},
		"!password,!md5":                      {"none scram-sha-256", ""},
		"!none":                               {"password md5 scram-sha-256", ""},
		"gss,sspi":                            {"", "leaves no method"},
		"!none,!password,!md5,!scram-sha-256": {"", "leaves no method"},
		"":                                    {"", "must name methods"},
		"scram":                               {"", "must name methods"},
		"password,%20md5":                     {"", "must name methods"},
		"md5,!password":                       {"", "must not mix"},
		"!md5,password":                       {"", "must not mix"},
		"md5,md5":                             {"", "twice"},
	} {
		s, err := parse("postgres://app@db1/shop?require_auth=" + value)
		if row.wrong != "" {
			require.ErrorContains(t, err, row.wrong, value)
			continue
		}
		require.NoError(t, err, value)
		var allowed []string
		for _, m := range authDone {
			if s.requireAuth.allows(m) {
				allowed = append(allowed, m)
			}
		}
		assert.Equal(t, row.allowed, strings.Join(allowed, " "), value)
		assert.Equal(t, value, s.requireAuth.String())
	}
}
