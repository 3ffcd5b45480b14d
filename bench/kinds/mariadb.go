package kinds

import "slices"

// mariadbSchema makes what the statements for MariaDB use.
var mariadbSchema = []string{
	"CREATE TABLE items (id BIGINT AUTO_INCREMENT PRIMARY KEY, owner BIGINT NOT NULL DEFAULT 0, version BIGINT NOT NULL DEFAULT 0, name VARCHAR(191) NOT NULL DEFAULT '')",
	"INSERT INTO items (id, owner, version, name) VALUES (1, 1, 1, 'one'), (2, 1, 1, 'two')",
	"CREATE TABLE words (`update` INT, `for update` TEXT, returning_visits INT)",
	"CREATE SEQUENCE tickets",
	"CREATE FUNCTION charge(item BIGINT) RETURNS BIGINT DETERMINISTIC MODIFIES SQL DATA BEGIN UPDATE items SET version = version + 1 WHERE id = item; RETURN 1; END",
	"CREATE PROCEDURE settle() SQL SECURITY INVOKER UPDATE items SET version = 0",
	"CREATE PROCEDURE archive() UPDATE items SET version = 7", // has its maker's rights, who is an administrator
}

// mariadb are the statements for MariaDB. Those that every MySQL has are the same there.
func mariadb() []statement {
	return slices.Concat(builtFor(mariadbTexts), byOtherWays(mariadbTexts), mariadbReads, mariadbLocks, mariadbFunctions, mariadbWrites)
}

var mariadbReads = []statement{
	{name: "plain read", by: byQuery, text: "SELECT * FROM items WHERE id = 1"},
	{name: "lower case, on the next line", by: byQuery, text: "\n\tselect * from items"},
	{name: "line comment first", by: byQuery, text: "-- items of the front page\nSELECT * FROM items"},
	{name: "comment with # first", by: byQuery, text: "# items of the front page\nSELECT * FROM items"},
	{name: "block comment first, as tracing adds it", by: byQuery, text: "/* traceparent='00-4bf9' */ SELECT * FROM items"},
	{name: "comment at the end says FOR UPDATE", by: byQuery, text: "SELECT * FROM items -- not for update"},
	{name: "parentheses", by: byQuery, text: "(SELECT * FROM items)"},
	{name: "UNION of parentheses", by: byQuery, text: "(SELECT id FROM items) UNION ALL (SELECT owner FROM items)"},
	{name: "CTE that reads", by: byQuery, text: "WITH mine AS (SELECT * FROM items WHERE owner = 1) SELECT * FROM mine"},
	{name: "VALUES", by: byQuery, text: "VALUES (1), (2)"},
	{name: "SHOW", by: byQuery, text: "SHOW TABLES"},
	{name: "DESCRIBE", by: byQuery, text: "DESCRIBE items"},
	{name: "HELP", by: byQuery, text: "HELP 'select'"},
	{name: "EXPLAIN of a read", by: byQuery, text: "EXPLAIN SELECT * FROM items"},
	{name: "ANALYZE of a read", by: byQuery, text: "ANALYZE SELECT * FROM items"},
	{name: "window function", by: byQuery, text: "SELECT RANK() OVER (PARTITION BY owner ORDER BY id) FROM items"},
	{name: "FOR in a function's arguments", by: byQuery, text: "SELECT SUBSTRING(name FROM 1 FOR 2) FROM items"},
	{name: "FOR in an index hint", by: byQuery, text: "SELECT * FROM items USE INDEX FOR ORDER BY (PRIMARY) ORDER BY id"},
	{name: "string with keywords", by: byQuery, text: "SELECT * FROM items WHERE name = 'DELETE ... RETURNING ... FOR UPDATE'"},
	{name: "string with an escaped quote", by: byQuery, text: `SELECT 'it\'s ; DELETE FROM items' FROM items`},
	{name: "string in double quotes", by: byQuery, text: `SELECT "INTO OUTFILE" FROM items`},
	{name: "columns named like keywords", by: byQuery, text: "SELECT `update`, `for update` FROM words"},
	{name: "column called returning_visits", by: byQuery, text: "SELECT returning_visits FROM words"},
	{name: "string at the end says for update", by: byQuery, text: "SELECT * FROM items WHERE name = 'for update'"},
	{name: "functions named like verbs", by: byQuery, text: "SELECT INSERT(name, 1, 1, 'x'), REPLACE(name, 'a', 'b') FROM items"},
	{name: "system variable", by: byQuery, text: "SELECT @@version"},
	{name: "semicolon at the end", by: byQuery, text: "SELECT * FROM items;"},
	{name: "two reads in one text", by: byQuery, text: "SELECT 1; SELECT 2"},
	{name: "executable comment that reads", by: byQuery, text: "SELECT /*!40001 SQL_NO_CACHE */ * FROM items"},
}

var mariadbLocks = []statement{
	{name: "FOR UPDATE", primary: locks, by: byQuery, text: "SELECT * FROM items WHERE id = 1 FOR UPDATE"},
	{name: "FOR UPDATE in lower case", primary: locks, by: byQuery, text: "select * from items for update"},
	{name: "FOR UPDATE over two lines", primary: locks, by: byQuery, text: "SELECT * FROM items\nFOR\nUPDATE"},
	{name: "FOR UPDATE with a semicolon", primary: locks, by: byQuery, text: "SELECT * FROM items FOR UPDATE;"},
	{name: "FOR UPDATE, then a comment", primary: locks, by: byQuery, text: "SELECT * FROM items FOR UPDATE -- the next job"},
	{name: "FOR UPDATE after a comment", primary: locks, by: byQuery, text: "/* jobs */ SELECT * FROM items FOR UPDATE"},
	{name: "FOR UPDATE in parentheses", primary: locks, by: byQuery, text: "(SELECT * FROM items FOR UPDATE)"},
	{name: "FOR UPDATE SKIP LOCKED: a queue", primary: locks, by: byQuery, text: "SELECT * FROM items LIMIT 1 FOR UPDATE SKIP LOCKED"},
	{name: "FOR UPDATE WAIT", primary: locks, by: byQuery, text: "SELECT * FROM items FOR UPDATE WAIT 5"},
	{name: "FOR UPDATE in an executable comment", primary: locks, by: byQuery, text: "SELECT * FROM items /*! FOR UPDATE */"},
	{name: "LOCK IN SHARE MODE", primary: locks, silent: true, by: byQuery, text: "SELECT * FROM items LOCK IN SHARE MODE"},
	{name: "lock in a subquery", primary: locks, by: byQuery, text: "SELECT * FROM (SELECT * FROM items FOR UPDATE) AS s"},
	{name: "lock in a CTE", primary: locks, by: byQuery, text: "WITH job AS (SELECT * FROM items FOR UPDATE) SELECT * FROM job"},
	{name: "GET_LOCK", primary: namedLock, silent: true, by: byQuery, text: "SELECT GET_LOCK('report', 1)"},
	{name: "IS_FREE_LOCK", primary: namedLock, silent: true, by: byQuery, text: "SELECT IS_FREE_LOCK('report')"},
	{name: "DO GET_LOCK", primary: namedLock, silent: true, by: byExec, text: "DO GET_LOCK('report', 1)"},
	{name: "LOCK TABLES", primary: locks, by: byExec, text: "LOCK TABLES items WRITE"},
}

var mariadbFunctions = []statement{
	{name: "NEXTVAL", primary: sequence, by: byQuery, text: "SELECT NEXTVAL(tickets)"},
	{name: "NEXT VALUE FOR", primary: sequence, by: byQuery, text: "SELECT NEXT VALUE FOR tickets"},
	{name: "SETVAL", primary: sequence, by: byQuery, text: "SELECT SETVAL(tickets, 7)"},
	{name: "LAST_INSERT_ID", primary: session, silent: true, by: byQuery, text: "SELECT LAST_INSERT_ID()"},
	{name: "@@last_insert_id", primary: session, silent: true, by: byQuery, text: "SELECT @@last_insert_id"},
	{name: "ROW_COUNT", primary: session, silent: true, by: byQuery, text: "SELECT ROW_COUNT()"},
	{name: "user variable set by :=", primary: setting, silent: true, by: byQuery, text: "SELECT @n := 1"},
	{name: "SELECT … INTO a user variable", primary: setting, silent: true, by: byQuery, text: "SELECT MAX(id) INTO @n FROM items"},
	{name: "user variable read", primary: session, silent: true, by: byQuery, text: "SELECT @n"},
	{name: "the application's function that writes", primary: writes, by: byQuery, text: "SELECT charge(1)"},
}

var mariadbWrites = []statement{
	{name: "INSERT … RETURNING", primary: writes, by: byQuery, text: "INSERT INTO items (name) VALUES ('x') RETURNING id"},
	{name: "INSERT without RETURNING by the query method", primary: writes, by: byQuery, text: "INSERT INTO items (name) VALUES ('x')"},
	{name: "REPLACE … RETURNING in lower case", primary: writes, by: byQuery, text: "replace into items (id) values (1) returning id"},
	{name: "DELETE … RETURNING after a comment", primary: writes, by: byQuery, text: "# clean up\nDELETE FROM items WHERE id = 9 RETURNING id"},
	{name: "ANALYZE of a write", primary: writes, by: byQuery, text: "ANALYZE UPDATE items SET version = 2"},
	{name: "EXPLAIN of a write: only plans, but a replica refuses", primary: writes, by: byQuery, text: "EXPLAIN DELETE FROM items"},
	{name: "read, then write, in one text", primary: writes, by: byQuery, text: "SELECT 1; DELETE FROM items"},
	{name: "DML in an executable comment", primary: writes, by: byExec, text: "/*! DELETE FROM items */"},
	{name: "CALL", primary: writes, by: byQuery, text: "CALL settle()"},
	{name: "CALL of an administrator's procedure", primary: writes, silent: true, by: byQuery, text: "CALL archive()"},
	{name: "DELETE by the exec method", primary: writes, by: byExec, text: "DELETE FROM items"},
	{name: "REPLACE by the exec method", primary: writes, by: byExec, text: "REPLACE INTO items (id) VALUES (1)"},
	{name: "TRUNCATE", primary: writes, by: byExec, text: "TRUNCATE items"},
	{name: "CREATE INDEX", primary: writes, by: byExec, text: "CREATE INDEX owners ON items (owner)"},
	{name: "CREATE TEMPORARY TABLE", primary: setting, silent: true, by: byExec, text: "CREATE TEMPORARY TABLE mine (id INT)"},
	{name: "SET", primary: setting, silent: true, by: byExec, text: "SET sql_mode = 'STRICT_ALL_TABLES'"},
}
