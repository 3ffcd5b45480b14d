package sqlkind_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/uptrace/bun/dialect"

	"github.com/bindery-go/bindery/router/sqlkind"
)

const all = dialect.Invalid // a row for each dialect

// Outlines of texts with a secret in each place where a value can be: none of them shows it.
var outlines = map[string]struct {
	on          dialect.Name
	query, want string
}{
	"text":                            {all, `SELECT a FROM t WHERE b = 'secret'`, `SELECT a FROM t WHERE b = ?`},
	"doubled quotes":                  {all, `SELECT a FROM t WHERE b = 'it''s secret' AND c`, `SELECT a FROM t WHERE b = ? AND c`},
	"a quote in a text":               {dialect.PG, `SELECT 'a "b' || "c" || 'secret " d'`, `SELECT ? || "c" || ?`},
	"numbers":                         {all, "SELECT 1, -2.5e-3, .75, 0x5ec7e7, a1 FROM t2", "SELECT ?, -?, .?, ?, a1 FROM t2"},
	"text with E":                     {dialect.PG, `SELECT E'it\'s secret', e'\\', "x"`, `SELECT E?, e?, "x"`},
	"text with N":                     {all, `SELECT N'secret'`, `SELECT N?`},
	"bits":                            {all, `SELECT b'1011', X'5ec7e7'`, `SELECT b?, X?`},
	"text with U&":                    {dialect.PG, `SELECT U&'s\0065cret' UESCAPE '!'`, `SELECT U&? UESCAPE ?`},
	"text with U& and no escape":      {dialect.PG, `SELECT U&'secret', 1`, `SELECT U&?, ?`},
	"text with a character set":       {dialect.MySQL, `SELECT _utf8mb4'secret' COLLATE x`, `SELECT _utf8mb4? COLLATE x`},
	"text over lines":                 {dialect.PG, "SELECT 'sec'\n'ret'", "SELECT ? ?"},
	"dollar quotes":                   {dialect.PG, `SELECT $$it's secret$$, "b" || $f$a $$ secret$f$`, `SELECT ?, "b" || ?`},
	"parameters":                      {dialect.PG, `SELECT $1, a ? 'secret'`, `SELECT ?, a ? ?`},
	"no dollar quotes":                {dialect.MySQL, "SELECT $$a$$, 'secret'", "SELECT $$a$$, ?"},
	"text in double quotes":           {dialect.MySQL, `SELECT "it's secret", "a""secret", "\\"`, `SELECT ?, ?, ?`},
	"names in double quotes":          {dialect.PG, `SELECT "u"."na""me" FROM "users" AS "u"`, `SELECT "u"."na""me" FROM "users" AS "u"`},
	"names in backquotes":             {dialect.MySQL, "SELECT `u`.`it's` FROM `users` WHERE b = 'secret'", "SELECT `u`.`it's` FROM `users` WHERE b = ?"},
	"double quotes of SQLite":         {dialect.SQLite, `SELECT "u"."id" FROM "users" AS "u" WHERE ("u"."b" = "secret")`, `SELECT "u"."id" FROM "users" AS "u" WHERE ("u"."b" = ?)`},
	"double quotes after DISTINCT":    {dialect.SQLite, `SELECT a IS DISTINCT FROM "secret" FROM "t"`, `SELECT a IS DISTINCT FROM ? FROM "t"`},
	"an insert of SQLite":             {dialect.SQLite, `INSERT INTO "t" ("a") VALUES ("secret", ?, ?1, :b)`, `INSERT INTO "t" (?) VALUES (?, ?, ??, ?)`},
	"brackets":                        {dialect.SQLite, `SELECT [it's] FROM t WHERE b = 'secret'`, `SELECT [it's] FROM t WHERE b = ?`},
	"comments":                        {all, "/* secret */ SELECT a -- secret 'x\n FROM/**/t /* it's secret */", "SELECT a FROM t"},
	"nested comments":                 {dialect.PG, "SELECT 1 /* a /* b */ secret */ FROM t", "SELECT ? FROM t"},
	"a comment that ends with CR":     {dialect.PG, "SELECT a -- secret\r, 'secret'", "SELECT a , ?"},
	"a hash comment":                  {dialect.MySQL, "SELECT a # secret\n, b", "SELECT a , b"},
	"a comment that is none":          {dialect.MySQL, "SELECT 1--2, 'secret'", "SELECT ?--?, ?"},
	"a hint":                          {dialect.MySQL, "SELECT /*+ NO_ICP(t) */ a", "SELECT a"},
	"an option in a comment":          {dialect.MySQL, "SELECT /*!40001 SQL_NO_CACHE */ a", "SELECT a"},
	"user variables":                  {dialect.MySQL, "SET @x = 'secret', @'y' := \"secret\"", "SET @x = ?, @? := ?"},
	"\\N":                             {dialect.MySQL, `SELECT \N, 'secret'`, `SELECT ?, ?`},
	"an account":                      {dialect.MySQL, "CREATE USER u@'h' IDENTIFIED BY 'secret'", "CREATE USER u@? IDENTIFIED BY ?"},
	"a role":                          {dialect.PG, "ALTER ROLE u PASSWORD 'secret'", "ALTER ROLE u PASSWORD ?"},
	"several statements":              {all, "SELECT 1 ;\n\tDELETE FROM t WHERE a = 'secret';", "SELECT ? ; DELETE FROM t WHERE a = ?;"},
	"an open text":                    {all, "SELECT a, 'secret", "SELECT a, …"},
	"an open dollar quote":            {dialect.PG, "SELECT a, $q$secret$$", "SELECT a, …"},
	"an open comment":                 {all, "SELECT a /* secret", "SELECT a…"},
	"an open nested comment":          {dialect.PG, "SELECT a /* /* */ secret", "SELECT a…"},
	"an open name":                    {dialect.PG, `SELECT a, "secret`, "SELECT a, …"},
	"a backslash before the end":      {dialect.MySQL, `SELECT 'a\', b = 'secret'`, "SELECT …"},
	"the same in double quotes":       {dialect.MySQL, `SELECT "a\", b = "secret"`, "SELECT …"},
	"a backslash, older settings":     {dialect.PG, `SELECT 'a\', b = 'secret'`, "SELECT …"},
	"an escaped quote":                {dialect.MySQL, `SELECT 'it\'s secret'`, "SELECT …"},
	"a backslash that escapes itself": {dialect.MySQL, `SELECT 'c:\\secret', a`, "SELECT ?, a"},
	"a backslash of SQLite's":         {dialect.SQLite, `SELECT 'a\', 'secret'`, "SELECT ?, ?"},
	"code in a comment":               {dialect.MySQL, "SELECT a /*!50000 , 'secret' */, b", "SELECT a…"},
	"code in MariaDB's comment":       {dialect.MySQL, "SELECT a /*M!100000 , 'secret' */, b", "SELECT a…"},
	"a comment within a comment":      {dialect.MySQL, "SELECT a /* /* */ secret */", "SELECT a…"},
	"the same on SQLite":              {dialect.SQLite, "SELECT a /* /* */ secret */", "SELECT a…"},
	"a number with a word":            {dialect.PG, "SELECT 1secret", "SELECT …"},
	"a NUL":                           {all, "SELECT a\x00 secret", "SELECT a…"},
	"a line in a name":                {dialect.PG, "SELECT \"a\nsecret\"", "SELECT …"},
	"a Tcl variable":                  {dialect.SQLite, "SELECT $a(secret)", "SELECT …"},
	"another dialect":                 {dialect.MSSQL, "SELECT 'secret'", "…"},
	"nothing":                         {all, "", ""},
	"blanks":                          {all, " \n ", ""},
}

var dialects = []dialect.Name{dialect.PG, dialect.MySQL, dialect.SQLite}

func TestOutline(t *testing.T) {
	for name, row := range outlines {
		t.Run(name, func(t *testing.T) {
			on := []dialect.Name{row.on}
			if row.on == all {
				on = dialects
			}
			for _, d := range on {
				got := sqlkind.Outline(d, row.query, 200)
				assert.Equal(t, row.want, got, d)
				assert.NotContains(t, got, "secret")
				for limit := range 40 {
					part := sqlkind.Outline(d, row.query, limit)
					assert.LessOrEqual(t, len(part), limit)
					if part != got && limit >= len("…") {
						assert.True(t, strings.HasSuffix(part, "…") && strings.HasPrefix(got, strings.TrimSuffix(part, "…")), "%d: %q", limit, part)
					}
				}
			}
		})
	}
}

// Values, comments and white space are no difference; all else is one.
func TestFingerprint(t *testing.T) {
	for _, row := range []struct {
		on   dialect.Name
		a, b string
		like bool
	}{
		{dialect.PG, `SELECT f($$a$$)`, "SELECT  f('b, c') -- d", true},
		{dialect.PG, `SELECT f($q$a$$, b$q$)`, `SELECT f($1)`, true},
		{dialect.PG, `SELECT f(E'a\'b')`, `SELECT f(E'c')`, true},
		{dialect.PG, `SELECT f(1) /* a /* b */ */ FROM t`, `SELECT f(2) FROM t`, true},
		{dialect.PG, `SELECT f(1, 2, 3)`, `SELECT f(1)`, true},
		{dialect.PG, `SELECT f(1), g(1)`, `SELECT f(1), h(1)`, false},
		{dialect.PG, `SELECT ab`, `SELECT a b`, false},
		{dialect.PG, `SELECT "a"`, `SELECT "b"`, false},
		{dialect.MySQL, `SELECT "a"`, `SELECT "b"`, true},
		{dialect.MySQL, "SELECT `a`", "SELECT `b`", false},
		{dialect.MySQL, "SELECT f(?, ?)", "SELECT f('a')", true},
		{dialect.SQLite, `SELECT "a"."x" FROM a`, `SELECT "a"."y" FROM a`, false},
		{dialect.MSSQL, `SELECT 1`, `SELECT 2`, false},
		{dialect.MSSQL, `SELECT 1`, `SELECT 1`, true},
	} {
		assert.Equal(t, row.like, sqlkind.Fingerprint(row.on, row.a) == sqlkind.Fingerprint(row.on, row.b), "%s\n%s", row.a, row.b)
		assert.Zero(t, testing.AllocsPerRun(10, func() { sqlkind.Fingerprint(row.on, row.a) }))
	}
}

// FuzzOutline puts a text between what may stand before and behind it in a statement: as a string of the dialect it is never shown.
func FuzzOutline(f *testing.F) {
	for _, row := range outlines {
		f.Add(row.query, row.query)
	}
	f.Fuzz(func(t *testing.T, before, data string) {
		const mark = "hidden"
		if strings.Contains(before, mark) || strings.ContainsRune(data, 0) {
			return
		}
		literal := "'" + strings.ReplaceAll(strings.ReplaceAll(data+mark, `\`, `\\`), "'", "''") + "'"
		for _, d := range dialects {
			got := sqlkind.Outline(d, before+"\n"+literal, 1<<20)
			if whole := sqlkind.Outline(d, before, 1<<20); !strings.HasSuffix(whole, "…") {
				assert.NotContains(t, got, mark, "%v", d)
			}
			assert.LessOrEqual(t, len(sqlkind.Outline(d, before, 50)), 50)
			_ = sqlkind.Fingerprint(d, before)
		}
	})
}

func TestOutline_touched(t *testing.T) {
	for query, want := range map[string]string{
		"SELECT 'x'SECRET'":     "SELECT …",
		"SELECT 'x'9, 'SECRET'": "SELECT …",
		"SELECT 'x'\"SECRET\"":  "SELECT …",
		"SELECT 'x', 'y'||'z'":  "SELECT ?, ?||?",
		"SELECT 'it''s'":        "SELECT ?",
	} {
		for _, d := range []dialect.Name{dialect.PG, dialect.MySQL, dialect.SQLite} {
			assert.Equal(t, want, sqlkind.Outline(d, query, 200), "%v: %s", d, query)
		}
	}
}
