package sqlkind_test

import (
	"runtime/debug"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/uptrace/bun/dialect"

	"github.com/bindery-go/bindery/router/sqlkind"
)

// growing are statements that go on and on, in ways that make a careless scanner look back, look ahead or recurse.
var growing = map[string]func(n int) string{
	"parentheses":           func(n int) string { return strings.Repeat("(", n) + "SELECT 1" + strings.Repeat(")", n) },
	"parentheses inside":    func(n int) string { return "SELECT " + strings.Repeat("(", n) + "1" + strings.Repeat(")", n) },
	"calls":                 func(n int) string { return "SELECT " + strings.Repeat("f (", n) + "1" + strings.Repeat(")", n) },
	"numbers and brackets":  func(n int) string { return "SELECT a" + strings.Repeat(" + 1 (", n) + strings.Repeat(")", n) },
	"spaced brackets":       func(n int) string { return "SELECT f" + strings.Repeat("  \n (", n) + strings.Repeat(")", n) },
	"commented brackets":    func(n int) string { return "SELECT f" + strings.Repeat("/**/(", n) + strings.Repeat(")", n) },
	"nested comments":       func(n int) string { return "SELECT 1 " + strings.Repeat("/*", n) + strings.Repeat("*/", n) },
	"open comments":         func(n int) string { return "SELECT 1 " + strings.Repeat("/*", n) },
	"stars and slashes":     func(n int) string { return "SELECT 1 /*" + strings.Repeat("*/*", n) },
	"line comments":         func(n int) string { return "SELECT 1 " + strings.Repeat("-- x\n", n) },
	"for":                   func(n int) string { return "SELECT " + strings.Repeat("for ", n) },
	"for and comments":      func(n int) string { return "SELECT " + strings.Repeat("for /* x */ /* y */", n) },
	"update in brackets":    func(n int) string { return "SELECT " + strings.Repeat("(update) ", n) },
	"as into":               func(n int) string { return "SELECT 1" + strings.Repeat(" AS into,", n) },
	"quotes":                func(n int) string { return "SELECT 1" + strings.Repeat(", ''", n) },
	"an open quote":         func(n int) string { return "SELECT '" + strings.Repeat("''", n) },
	"backslashes":           func(n int) string { return `SELECT E'` + strings.Repeat(`\\`, n) + "'" },
	"escaped quotes":        func(n int) string { return `SELECT E'` + strings.Repeat(`\'`, n) + "'" },
	"backslashes, no quote": func(n int) string { return `SELECT "` + strings.Repeat(`\"`, n) },
	"dollars":               func(n int) string { return "SELECT $a$" + strings.Repeat("$b$", n) + "$a$" },
	"open dollars":          func(n int) string { return "SELECT " + strings.Repeat("$a", n) + "$" },
	"ampersands":            func(n int) string { return "SELECT 1" + strings.Repeat(`&"a"`, n) },
	"CTEs": func(n int) string {
		return "WITH a AS (SELECT 1)" + strings.Repeat(", a AS (SELECT 1)", n) + " SELECT 1"
	},
	"nested CTEs": func(n int) string {
		return strings.Repeat("WITH a AS (", n) + "SELECT 1" + strings.Repeat(") SELECT 1", n)
	},
	"columns of a CTE":       func(n int) string { return "WITH a (b" + strings.Repeat(", b", n) + ") AS (SELECT 1) SELECT 1" },
	"CTEs side by side":      func(n int) string { return "SELECT 1" + strings.Repeat(", (WITH a AS (SELECT 1) SELECT 1)", n) },
	"statements":             func(n int) string { return strings.Repeat("SELECT 1; ", n) },
	"semicolons":             func(n int) string { return strings.Repeat("; ", n) + "SELECT 1" },
	"a long name":            func(n int) string { return "SELECT " + strings.Repeat("a", n) + " (1)" },
	"a long quoted name":     func(n int) string { return `SELECT "` + strings.Repeat("a", n) + `" (1)` },
	"long name, short calls": func(n int) string { return "SELECT " + strings.Repeat("a", n) + strings.Repeat(" 1 (", n) },
	"attributes":             func(n int) string { return "SELECT (a)" + strings.Repeat(".a", n) },
	"attributes, commented":  func(n int) string { return "SELECT (a)" + strings.Repeat(" /* x */ . -- y\n a", n) },
	"values":                 func(n int) string { return "SELECT 1" + strings.Repeat(", (a) /* x */", n) },
	"elements":               func(n int) string { return "SELECT a" + strings.Repeat("[1]", n) },
	"parameters":             func(n int) string { return "SELECT 1" + strings.Repeat(", $1 /* x */", n) },
	"schemas":                func(n int) string { return "SELECT 1" + strings.Repeat(", cron /* x */", n) },
	"columns of sequences":   func(n int) string { return "SELECT 1" + strings.Repeat(", t.last_value /* x */", n) },
	"accents":                func(n int) string { return "SELECT 1" + strings.Repeat(", é /* x */", n) },
	"blanks":                 func(n int) string { return "SELECT" + strings.Repeat(" ", n) + "1" },
	"explain options":        func(n int) string { return "EXPLAIN (a" + strings.Repeat(", a", n) + ") SELECT 1" },
	"variables":              func(n int) string { return "SELECT 1" + strings.Repeat(", @@a.b", n) },
}

// TestStackIsConstant has statements of megabytes scanned with a stack that recursion would soon overflow, which ends
// the program. That it ends at all also says that no dialect takes quadratic time: that would be hours.
func TestStackIsConstant(t *testing.T) {
	defer debug.SetMaxStack(debug.SetMaxStack(64 << 10))
	c, err := sqlkind.New(dialect.PG, "*_x", "y.*z")
	assert.NoError(t, err)
	for name, make := range growing {
		query := make(100_000) // of nested parts, far more than the stack would hold
		for _, d := range known {
			sqlkind.Of(d, query)
			assert.Equal(t, sqlkind.Of(d, make(20)), sqlkind.Of(d, make(200)), "%v: %s", d, name)
		}
		c.Of(query)
	}
}

// BenchmarkLength shows that time per byte does not depend on length.
func BenchmarkLength(b *testing.B) {
	for name, make := range growing {
		for _, n := range []int{1_000, 100_000} {
			query := make(n)
			b.Run(name+"/"+map[int]string{1_000: "short", 100_000: "long"}[n], func(b *testing.B) {
				benchmark(b, query, func(q string) {
					for _, d := range known {
						sqlkind.Of(d, q)
					}
				})
			})
		}
	}
}
