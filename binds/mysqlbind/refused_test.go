package mysqlbind_test

import "github.com/bindery-go/bindery/binds/bindtest"

const (
	sideTrace = "SELECT COUNT(*) FROM my_side"
	tables    = "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'app' AND TABLE_NAME LIKE 'my%'"
)

// refusedOnBoth returns the rows of FACTS B4 that a reader must refuse.
func refusedOnBoth() []bindtest.Statement {
	written := "SELECT " + server().written
	return []bindtest.Statement{
		{Reason: "INSERT", SQL: "INSERT INTO bindtest_belt VALUES (2, 2)"},
		{Reason: "INSERT SELECT of no row", SQL: "INSERT INTO bindtest_belt SELECT 2, 2 FROM DUAL WHERE FALSE"},
		{Reason: "UPDATE", SQL: "UPDATE bindtest_belt SET n = 2"},
		{Reason: "UPDATE of no row", SQL: "UPDATE bindtest_belt SET n = 2 WHERE FALSE"},
		{Reason: "DELETE", SQL: "DELETE FROM bindtest_belt"},
		{Reason: "DELETE of no row", SQL: "DELETE FROM bindtest_belt WHERE FALSE"},
		{Reason: "REPLACE", SQL: "REPLACE INTO bindtest_belt VALUES (1, 2)"},
		{Reason: "TRUNCATE", SQL: "TRUNCATE TABLE bindtest_belt"},
		{Reason: "a leading comment", SQL: "/* read */ -- only\nUPDATE bindtest_belt SET n = 2"},
		{Reason: "an executable comment", SQL: "/*!50000 UPDATE bindtest_belt SET n = 2 */"},
		{Reason: "MyISAM", Setup: []string{"CREATE TABLE my_isam (id INT) ENGINE=MyISAM"}, SQL: "INSERT INTO my_isam VALUES (1)",
			Trace: "SELECT COUNT(*) FROM my_isam", Cleanup: []string{"DROP TABLE my_isam"}},
		{Reason: "CREATE TABLE", SQL: "CREATE TABLE my_new (id INT)", Trace: tables},
		{Reason: "CREATE TABLE AS", SQL: "CREATE TABLE my_new AS SELECT 1", Trace: tables},
		{Reason: "CREATE INDEX", SQL: "CREATE INDEX my_index ON bindtest_belt (n)"},
		{Reason: "ALTER TABLE", SQL: "ALTER TABLE bindtest_belt ADD COLUMN x INT"},
		{Reason: "DROP TABLE", SQL: "DROP TABLE bindtest_belt"},
		{Reason: "RENAME TABLE", SQL: "RENAME TABLE bindtest_belt TO my_new", Trace: tables},
		{Reason: "CREATE VIEW", SQL: "CREATE VIEW my_new AS SELECT 1", Trace: tables},
		{Reason: "CREATE TEMPORARY TABLE", SQL: "CREATE TEMPORARY TABLE my_temp (id INT)"},
		{Reason: "OPTIMIZE TABLE", SQL: "OPTIMIZE TABLE bindtest_belt", Trace: written},
		{Reason: "REPAIR TABLE", SQL: "REPAIR TABLE bindtest_belt", Trace: written},
		{Reason: "ANALYZE TABLE", SQL: "ANALYZE TABLE bindtest_belt", Trace: written},
		{Reason: "FLUSH TABLES", SQL: "FLUSH TABLES", Trace: written},
		{Reason: "FLUSH STATUS behind a comment", SQL: "/* x */FLUSH STATUS", Trace: written},
		{Reason: "FOR UPDATE", SQL: "SELECT * FROM bindtest_belt FOR UPDATE"},
		{Reason: "FOR UPDATE SKIP LOCKED", SQL: "SELECT * FROM bindtest_belt FOR UPDATE SKIP LOCKED"},
		{Reason: "FOR UPDATE NOWAIT", SQL: "SELECT * FROM bindtest_belt FOR UPDATE NOWAIT"},
		{Reason: "LOCK TABLES WRITE", SQL: "LOCK TABLES bindtest_belt WRITE", NoPrepare: true},
		{Reason: "a function that writes", SQL: "SELECT my_writes()", Trace: sideTrace},
		{Reason: "DO of a function that writes", SQL: "DO my_writes()", Trace: sideTrace},
		{Reason: "SET to a function that writes", SQL: "SET @x = my_writes()", Trace: sideTrace},
		{Reason: "CALL whose definer passes read_only", SQL: "CALL my_write()", Trace: sideTrace},
		{Reason: "EXPLAIN INSERT", SQL: "EXPLAIN INSERT INTO bindtest_belt VALUES (2, 2)"},
		{Reason: "START TRANSACTION READ WRITE", SQL: "START TRANSACTION READ WRITE"},
		{Reason: "START TRANSACTION READ WRITE in comments", SQL: "start /* a */ transaction READ/**/WRITE"},
		{Reason: "START TRANSACTION READ WRITE in an executable comment", SQL: "/*!START TRANSACTION READ WRITE*/"},
		{Reason: "SET TRANSACTION READ WRITE", SQL: "SET TRANSACTION READ WRITE"},
		{Reason: "SET SESSION TRANSACTION READ WRITE", SQL: "SET SESSION TRANSACTION READ WRITE"},
		{Reason: "SET SESSION TRANSACTION with a level", SQL: "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE"},
		{Reason: "PREPARE of START TRANSACTION READ WRITE", SQL: "PREPARE s FROM 'START TRANSACTION READ WRITE'"},
	}
}

var refusedOnMariaDB = []bindtest.Statement{
	{Reason: "INSERT RETURNING", SQL: "INSERT INTO bindtest_belt VALUES (2, 2) RETURNING id"},
	{Reason: "Aria", Setup: []string{"CREATE TABLE my_aria (id INT) ENGINE=Aria"}, SQL: "INSERT INTO my_aria VALUES (1)",
		Trace: "SELECT COUNT(*) FROM my_aria", Cleanup: []string{"DROP TABLE my_aria"}},
	{Reason: "NEXTVAL", SQL: "SELECT NEXTVAL(my_seq)", Trace: "SELECT next_not_cached_value FROM my_seq"},
	{Reason: "SETVAL", SQL: "SELECT SETVAL(my_seq, 5000)", Trace: "SELECT next_not_cached_value FROM my_seq"},
	{Reason: "ANALYZE of an INSERT", SQL: "ANALYZE FORMAT=JSON INSERT INTO bindtest_belt VALUES (2, 2)"},
	{Reason: "EXECUTE IMMEDIATE of an INSERT", SQL: "EXECUTE IMMEDIATE 'INSERT INTO bindtest_belt VALUES (2, 2)'", NoPrepare: true},
	{Reason: "a compound statement", SQL: "BEGIN NOT ATOMIC INSERT INTO bindtest_belt VALUES (2, 2); END"},
	{Reason: "SET STATEMENT for an INSERT", SQL: "SET STATEMENT max_statement_time = 10 FOR INSERT INTO bindtest_belt VALUES (2, 2)"},
	{Reason: "SET tx_read_only", SQL: "SET tx_read_only = 0"},
	{Reason: "SET of the variable among others", SQL: "SET @a = '#', @@session.`tx_read_only` = 0"},
	{Reason: "SET STATEMENT of the variable", SQL: "SET STATEMENT tx_read_only = 0 FOR INSERT INTO bindtest_belt VALUES (2, 2)"},
	{Reason: "EXECUTE IMMEDIATE of SET", SQL: "EXECUTE IMMEDIATE 'SET SESSION TRANSACTION READ WRITE'"},
}

var refusedOnMySQL = []bindtest.Statement{
	{Reason: "EXPLAIN INTO of an INSERT", SQL: "EXPLAIN FORMAT=JSON INTO @x INSERT INTO bindtest_belt VALUES (2, 2)"},
	{Reason: "EXPLAIN ANALYZE of a DELETE", SQL: "EXPLAIN ANALYZE DELETE FROM bindtest_belt"},
	{Reason: "ANALYZE TABLE for a histogram", SQL: "ANALYZE TABLE bindtest_belt UPDATE HISTOGRAM ON n",
		Trace: "SELECT COUNT(*) FROM information_schema.COLUMN_STATISTICS WHERE TABLE_NAME = 'bindtest_belt'"},
	{Reason: "FLUSH BINARY LOGS", SQL: "FLUSH BINARY LOGS"},
	{Reason: "a common table expression before UPDATE", SQL: "WITH x AS (SELECT 1 AS a) UPDATE bindtest_belt, x SET n = a"},
	{Reason: "SET transaction_read_only", SQL: "SET transaction_read_only = 0"},
	{Reason: "SET of the variable among others", SQL: "SET @a = '#', @@session.`transaction_read_only` = 0"},
	{Reason: "SET PERSIST of the variable", SQL: "SET PERSIST transaction_read_only = 0"},
	{Reason: "PREPARE of SET", SQL: "PREPARE s FROM 'SET SESSION transaction_read_only = 0'"},
}
