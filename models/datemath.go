package models

import "github.com/uptrace/bun/dialect"

// Now is the database's clock at the start of the statement, to be compared with and stored in
// columns of Go times. It is in UTC, as the columns are: PostgreSQL's statement_timestamp(),
// MySQL's UTC_TIMESTAMP(6), and on SQLite the text that Bun writes for a time, to the millisecond.
//
// On MySQL that suits times that are stored in UTC: by a manager's binds, by Bun's dialect if made
// with WithTimeLocation("UTC"), or in UTC from the start.
func Now() Expr {
	return spelling{
		dialect.PG:    "statement_timestamp()",
		dialect.MySQL: "UTC_TIMESTAMP(6)",
		// Bun writes no zeros at a fraction's end, and texts are equal only if they are the same.
		dialect.SQLite: "(RTRIM(RTRIM(STRFTIME('%Y-%m-%d %H:%M:%f', 'now'), '0'), '.') || '+00:00')",
	}.expr("Now")
}

// AddSeconds is a time and n whole seconds, which may be negative. The time is a column's name or
// an expression such as [Now], n a number or an expression such as a column:
//
//	models.AddSeconds("created_at", 3600)
//	models.AddSeconds(models.Now(), -30)
//	models.AddSeconds("created_at", models.Col("ttl"))
//
// The fraction of the second and the zone stay as they are. NULL stays NULL. A condition can use an
// index on its column only if that stands alone: "created_at < now - 1 h", not "created_at + 1 h <
// now".
func AddSeconds[T string | Expr, N int | int64 | Expr](t T, n N) Expr {
	from, seconds := timeOf(t), secondsOf(n)
	return spelling{
		dialect.PG:    "(?0 + ?1 * INTERVAL '1 second')",
		dialect.MySQL: "(?0 + INTERVAL ?1 SECOND)",
		// SQLite's functions keep milliseconds at most: add to the text before the fraction.
		dialect.SQLite: "(DATETIME(SUBSTR(?0, 1, 19), ?1 || ' seconds') || SUBSTR(?0, 20))",
	}.expr("AddSeconds", from, seconds)
}

func timeOf(t any) Expr {
	if name, ok := t.(string); ok {
		return Col(name)
	}
	return t.(Expr)
}

func secondsOf(n any) Expr {
	switch n := n.(type) {
	case int:
		return literal(int64(n))
	case int64:
		return literal(n)
	}
	return n.(Expr)
}
