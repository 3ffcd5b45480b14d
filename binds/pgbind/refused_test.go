package pgbind

import (
	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/binds/bindtest"
)

// oneOff are statements of a kind that is one text of several, or no transaction may hold.
func oneOff(s bindtest.Statement) bindtest.Statement {
	s.NoTx, s.NoPrepare = true, true
	return s
}

// refusedOnReader are the writing statements that PostgreSQL refuses, on any session that is read-only
// or, where ReplicaOnly says so, on a hot standby alone (manual section 27.4.1).
var refusedOnReader = []bindtest.Statement{
	{Reason: "INSERT", SQL: "INSERT INTO bindtest_belt (id, n) VALUES (2, 2)"},
	{Reason: "INSERT of no row", SQL: "INSERT INTO bindtest_belt SELECT 2, 2 WHERE false"},
	{Reason: "INSERT RETURNING", SQL: "INSERT INTO bindtest_belt (id, n) VALUES (2, 2) RETURNING id"},
	{Reason: "UPDATE", SQL: "UPDATE bindtest_belt SET n = 7"},
	{Reason: "UPDATE of no row", SQL: "UPDATE bindtest_belt SET n = 7 WHERE false"},
	{Reason: "DELETE", SQL: "DELETE FROM bindtest_belt"},
	// PostgreSQL 14 has no MERGE.
	{Reason: "MERGE", SQL: "MERGE INTO bindtest_belt b USING (SELECT 1 AS id) s ON b.id = s.id WHEN MATCHED THEN UPDATE SET n = 7",
		Faults: []binds.Fault{binds.ReadOnly, binds.Refused}},
	{Reason: "TRUNCATE", SQL: "TRUNCATE bindtest_belt"},
	{Reason: "SELECT FOR UPDATE", SQL: "SELECT * FROM bindtest_belt FOR UPDATE"},
	{Reason: "SELECT FOR NO KEY UPDATE", SQL: "SELECT * FROM bindtest_belt FOR NO KEY UPDATE"},
	{Reason: "SELECT FOR SHARE", SQL: "SELECT * FROM bindtest_belt FOR SHARE"},
	{Reason: "SELECT FOR KEY SHARE", SQL: "SELECT * FROM bindtest_belt FOR KEY SHARE"},
	{Reason: "SELECT FOR UPDATE SKIP LOCKED", SQL: "SELECT * FROM bindtest_belt FOR UPDATE SKIP LOCKED"},
	{Reason: "SELECT FOR UPDATE of no row", SQL: "SELECT * FROM bindtest_belt WHERE false FOR UPDATE"},
	{Reason: "nextval", SQL: "SELECT nextval('bindtest_seq')", Setup: sequence, Cleanup: noSequence, Trace: "SELECT last_value FROM bindtest_seq"},
	{Reason: "setval", SQL: "SELECT setval('bindtest_seq', 9)", Setup: sequence, Cleanup: noSequence, Trace: "SELECT last_value FROM bindtest_seq"},
	{Reason: "CREATE TEMP TABLE", SQL: "CREATE TEMP TABLE bindtest_temp (id int)", Trace: tables},
	{Reason: "CREATE TABLE", SQL: "CREATE TABLE bindtest_new (id int)", Trace: tables},
	{Reason: "CREATE TABLE AS", SQL: "CREATE TABLE bindtest_new AS SELECT 1 AS id", Trace: tables},
	{Reason: "SELECT INTO", SQL: "SELECT 1 AS id INTO bindtest_new", Trace: tables},
	{Reason: "SELECT INTO TEMP", SQL: "SELECT 1 AS id INTO TEMP bindtest_new", Trace: tables},
	{Reason: "ALTER TABLE", SQL: "ALTER TABLE bindtest_belt ADD COLUMN x int"},
	{Reason: "CREATE INDEX", SQL: "CREATE INDEX bindtest_index ON bindtest_belt (n)", Trace: tables},
	{Reason: "DROP TABLE", SQL: "DROP TABLE bindtest_belt"},
	{Reason: "GRANT", SQL: "GRANT SELECT ON bindtest_belt TO PUBLIC", Trace: "SELECT relacl::text FROM pg_class WHERE relname = 'bindtest_belt'"},
	{Reason: "COMMENT", SQL: "COMMENT ON TABLE bindtest_belt IS 'x'", Trace: "SELECT obj_description('bindtest_belt'::regclass)"},
	{Reason: "REFRESH MATERIALIZED VIEW", SQL: "REFRESH MATERIALIZED VIEW bindtest_view",
		Setup:   []string{"CREATE MATERIALIZED VIEW bindtest_view AS SELECT clock_timestamp() AS at"},
		Cleanup: []string{"DROP MATERIALIZED VIEW bindtest_view"}, Trace: "SELECT at FROM bindtest_view"},
	{Reason: "WITH that inserts", SQL: "WITH x AS (INSERT INTO bindtest_belt (id, n) VALUES (2, 2) RETURNING id) SELECT * FROM x"},
	{Reason: "EXPLAIN ANALYZE of a write", SQL: "EXPLAIN ANALYZE INSERT INTO bindtest_belt (id, n) VALUES (2, 2)"},
	{Reason: "a function that writes", SQL: "SELECT bindtest_write()",
		Setup: []string{`CREATE FUNCTION bindtest_write() RETURNS int LANGUAGE plpgsql AS
			$$ BEGIN INSERT INTO bindtest_belt (id, n) VALUES (2, 2); RETURN 1; END $$`},
		Cleanup: []string{"DROP FUNCTION bindtest_write()"}},
	{Reason: "a procedure that writes", SQL: "CALL bindtest_write()",
		Setup: []string{`CREATE PROCEDURE bindtest_write() LANGUAGE plpgsql AS
			$$ BEGIN INSERT INTO bindtest_belt (id, n) VALUES (2, 2); END $$`},
		Cleanup: []string{"DROP PROCEDURE bindtest_write()"}},
	{Reason: "DO that writes", SQL: "DO $$ BEGIN INSERT INTO bindtest_belt (id, n) VALUES (2, 2); END $$"},
	{Reason: "COPY FROM", SQL: "COPY bindtest_belt FROM STDIN", NoPrepare: true},
	{Reason: "EXECUTE of a prepared write", SQL: "DEALLOCATE ALL; PREPARE bindtest_p AS INSERT INTO bindtest_belt (id, n) VALUES (2, 2); EXECUTE bindtest_p", NoPrepare: true},
	oneOff(bindtest.Statement{Reason: "DECLARE CURSOR FOR UPDATE", SQL: "BEGIN; DECLARE c CURSOR FOR SELECT * FROM bindtest_belt FOR UPDATE; FETCH c; COMMIT"}),
	oneOff(bindtest.Statement{Reason: "a write after the transaction's end", SQL: "COMMIT; INSERT INTO bindtest_belt (id, n) VALUES (2, 2)"}),

	{Reason: "LISTEN", SQL: "LISTEN bindtest", ReplicaOnly: true},
	{Reason: "NOTIFY", SQL: "NOTIFY bindtest", ReplicaOnly: true},
	{Reason: "pg_notify", SQL: "SELECT pg_notify('bindtest', 'x')", ReplicaOnly: true},
	{Reason: "txid_current", SQL: "SELECT txid_current()", ReplicaOnly: true},
	// PostgreSQL 12 does not have it.
	{Reason: "pg_current_xact_id", SQL: "SELECT pg_current_xact_id()", ReplicaOnly: true, Faults: []binds.Fault{binds.ReadOnly, binds.Refused}},
	{Reason: "lo_create", SQL: "SELECT lo_create(0)", ReplicaOnly: true,
		Trace: "SELECT count(*) FROM pg_largeobject_metadata"},
	{Reason: "ANALYZE", SQL: "ANALYZE bindtest_belt", ReplicaOnly: true},
	oneOff(bindtest.Statement{Reason: "VACUUM", SQL: "VACUUM bindtest_belt", ReplicaOnly: true}),
	{Reason: "REINDEX", SQL: "REINDEX TABLE bindtest_belt", ReplicaOnly: true},
	{Reason: "CLUSTER", SQL: "CLUSTER bindtest_belt USING bindtest_belt_pkey", ReplicaOnly: true},
	{Reason: "LOCK TABLE SHARE UPDATE EXCLUSIVE", SQL: "SELECT 1; LOCK TABLE bindtest_belt IN SHARE UPDATE EXCLUSIVE MODE", ReplicaOnly: true, NoPrepare: true},
	{Reason: "LOCK TABLE without a mode", SQL: "SELECT 1; LOCK TABLE bindtest_belt", ReplicaOnly: true, NoPrepare: true},
	oneOff(bindtest.Statement{Reason: "BEGIN READ WRITE", SQL: "BEGIN READ WRITE", ReplicaOnly: true}),
	oneOff(bindtest.Statement{Reason: "START TRANSACTION READ WRITE", SQL: "START TRANSACTION READ WRITE", ReplicaOnly: true}),
	oneOff(bindtest.Statement{Reason: "BEGIN SERIALIZABLE", SQL: "BEGIN ISOLATION LEVEL SERIALIZABLE", ReplicaOnly: true, Faults: refusal}),
	{Reason: "SET transaction_read_only = off", SQL: "SET transaction_read_only = off", ReplicaOnly: true},
	oneOff(bindtest.Statement{Reason: "PREPARE TRANSACTION", SQL: "BEGIN; PREPARE TRANSACTION 'bindtest'", ReplicaOnly: true}),
	{Reason: "COMMIT PREPARED", SQL: "COMMIT PREPARED 'bindtest'", ReplicaOnly: true, NoTx: true},
	{Reason: "pg_logical_emit_message", SQL: "SELECT pg_logical_emit_message(false, 'bindtest', 'x')", ReplicaOnly: true},
	{Reason: "pg_logical_emit_message in the transaction", SQL: "SELECT pg_logical_emit_message(true, 'bindtest', 'x')", ReplicaOnly: true},
	{Reason: "a function that asks for the log", SQL: "SELECT bindtest_log()", ReplicaOnly: true,
		Setup:   []string{"CREATE FUNCTION bindtest_log() RETURNS pg_lsn LANGUAGE sql AS 'SELECT pg_current_wal_lsn()'"},
		Cleanup: []string{"DROP FUNCTION bindtest_log()"}},
	{Reason: "pg_walfile_name", SQL: "SELECT pg_walfile_name('0/1')", ReplicaOnly: true},
	{Reason: "brin_summarize_new_values", SQL: "SELECT brin_summarize_new_values('bindtest_brin')", ReplicaOnly: true,
		Setup: []string{"CREATE INDEX bindtest_brin ON bindtest_belt USING brin (n)"}, Cleanup: []string{"DROP INDEX bindtest_brin"}},
	{Reason: "lo_unlink", SQL: "SELECT lo_unlink(4712)", ReplicaOnly: true,
		Setup: []string{"SELECT lo_create(4712)"}, Cleanup: []string{"SELECT lo_unlink(4712)"}},
	{Reason: "SELECT from an unlogged table", SQL: "SELECT * FROM bindtest_unlogged", ReplicaOnly: true,
		Setup:   []string{"CREATE UNLOGGED TABLE bindtest_unlogged (id int)"},
		Cleanup: []string{"DROP TABLE bindtest_unlogged"}},
}

var (
	sequence   = []string{"CREATE SEQUENCE bindtest_seq"}
	noSequence = []string{"DROP SEQUENCE bindtest_seq"}
	// refusal is a standby's no to what is no write: nothing was done either.
	refusal = []binds.Fault{binds.Refused}
)

const tables = "SELECT count(*) FROM pg_class WHERE relname LIKE 'bindtest\\_%'"
