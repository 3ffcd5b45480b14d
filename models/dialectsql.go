package models

import (
	"fmt"
	"strconv"

	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/schema"
)

// An Expr is an SQL expression that is spelled for the dialect of the query it is used in. It
// stands wherever Bun takes a value:
//
//	q.Where("? < ?", models.Col("expires_at"), models.Now())
//
// It is a function, not a struct: Bun takes a lone struct for a set of named arguments.
type Expr func(gen schema.QueryGen, b []byte) ([]byte, error)

var _ schema.QueryAppender = Expr(nil)

// AppendQuery writes the expression.
func (e Expr) AppendQuery(gen schema.QueryGen, b []byte) ([]byte, error) { return e(gen, b) }

// Col is a column, quoted: "name", or "alias.name".
func Col(name string) Expr {
	return func(gen schema.QueryGen, b []byte) ([]byte, error) { return gen.AppendIdent(b, name), nil }
}

// spelling is an expression's text per dialect, with a ? for each argument, as Bun has it.
type spelling map[dialect.Name]string

// expr makes an expression of its spellings. Where a dialect has none, the query fails.
func (s spelling) expr(name string, args ...any) Expr {
	return func(gen schema.QueryGen, b []byte) ([]byte, error) {
		if gen.IsNop() {
			return append(b, '?'), nil
		}
		text, ok := s[gen.Dialect().Name()]
		if !ok {
			return nil, fmt.Errorf("models: %s is not known for %s", name, gen.Dialect().Name())
		}
		return gen.AppendQuery(b, text, args...), nil
	}
}

// literal is a whole number, in parentheses where its sign might meet another one.
func literal(n int64) Expr {
	return func(_ schema.QueryGen, b []byte) ([]byte, error) {
		if n >= 0 {
			return strconv.AppendInt(b, n, 10), nil
		}
		return append(strconv.AppendInt(append(b, '('), n, 10), ')'), nil
	}
}
