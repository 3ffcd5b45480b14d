package manager

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestExpand(t *testing.T) {
	env := map[string]string{"A": "one", "EMPTY": "", "MONEY": "$A ${A}"}
	lookup := func(name string) (string, bool) { v, ok := env[name]; return v, ok }
	for name, row := range map[string]struct{ in, want, err string }{
		"nothing to do":                      {"plain", "plain", ""},
		"a variable":                         {"x${A}y${A}", "xoneyone", ""},
		"set and empty is set":               {"[${EMPTY}]", "[]", ""},
		"a default for an unset one":         {"${NO:-two}", "two", ""},
		"a default for an empty one":         {"${EMPTY:-two}", "two", ""},
		"a default not needed":               {"${A:-two}", "one", ""},
		"an empty default":                   {"[${NO:-}]", "[]", ""},
		"a value is not expanded again":      {"${MONEY}", "$A ${A}", ""},
		"two dollars are one":                {"a$$b$${A}", "a$b${A}", ""},
		"a dollar before anything else":      {"$A $1 $", "$A $1 $", ""},
		"unset":                              {"${NO}", "", "the environment variable NO is not set"},
		"no closing brace":                   {"x${A", "", `"${" without its "}"`},
		"no name":                            {"${}", "", "no variable name"},
		"what is no name is not repeated":    {"${hunter2!}", "", "no variable name"},
		"a name does not begin with a digit": {"${1A}", "", "no variable name"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := expand(row.in, lookup)
			if row.err != "" {
				require.ErrorContains(t, err, row.err)
				assert.NotContains(t, err.Error(), "hunter2")
				return
			}
			require.NoError(t, err)
			assert.Equal(t, row.want, got)
		})
	}
}
