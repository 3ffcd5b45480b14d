package observe

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/uptrace/bun/dialect"

	"github.com/bindery-go/bindery/router/sqlkind"
)

func TestOperations(t *testing.T) {
	for query, want := range map[string]string{
		"SELECT 1":                    "SELECT",
		"select 1":                    "SELECT",
		"\n\t SELECT 1":               "SELECT",
		"SELECT":                      "SELECT",
		"SELECTED":                    "_OTHER",
		"SELECT_1":                    "_OTHER",
		"ROLLBACK TO SAVEPOINT \"a\"": "ROLLBACK TO",
		"rollback to savepoint a":     "ROLLBACK TO",
		"ROLLBACK":                    "ROLLBACK",
		"ROLLBACK TOO":                "ROLLBACK",
		"ANALYZE":                     "ANALYZE",
		"secret":                      "_OTHER",
		"/* x */ SELECT 1":            "_OTHER",
		"":                            "_OTHER",
	} {
		assert.Equal(t, want, operationOf(query).String(), query)
	}
}

func TestCollections(t *testing.T) {
	for query, want := range map[string]string{
		`SELECT "user"."id" FROM "users" AS "user" WHERE id = 5`:    "users",
		`SELECT a FROM public.users`:                                "public.users",
		`SELECT a FROM "public"."users" u`:                          "public.users",
		`SELECT (SELECT count(*) FROM posts) AS n FROM users`:       "users",
		`SELECT count(*) FROM (SELECT 1 FROM users) AS t`:           "",
		`SELECT extract(epoch FROM created) FROM users`:             "users",
		`SELECT 'x FROM y'`:                                         "",
		`SELECT 1`:                                                  "",
		`SELECT "from" FROM "we""ird"`:                              `we"ird`,
		`INSERT INTO users (a) VALUES (1)`:                          "users",
		`INSERT INTO "users" ("a") SELECT a FROM posts`:             "users",
		`UPDATE users SET a = 1`:                                    "users",
		`UPDATE ONLY users SET a = 1`:                               "users",
		`DELETE FROM users WHERE a IN (SELECT a FROM b)`:            "users",
		`CREATE TABLE IF NOT EXISTS "users" (id int)`:               "users",
		`DROP TABLE users`:                                          "users",
		`TRUNCATE TABLE users`:                                      "users",
		`CREATE INDEX i ON users (a)`:                               "",
		`MERGE INTO users USING x ON true WHEN MATCHED THEN DELETE`: "users",
		`WITH a AS (SELECT 1) SELECT * FROM a`:                      "",
		`SELECT * FROM generate_series(1, 2)`:                       "generate_series",
		`SELECT * FROM 'users'`:                                     "",
		`UPDATE "unterminated`:                                      "",
	} {
		outline := sqlkind.Outline(dialect.PG, query, maxText)
		assert.Equal(t, want, collectionOf(operationOf(query), outline), query)
	}
	assert.Equal(t, "users", collectionOf(opSelect, sqlkind.Outline(dialect.MySQL, "SELECT `a` FROM `users` WHERE a = \"x\"", maxText)))
}
