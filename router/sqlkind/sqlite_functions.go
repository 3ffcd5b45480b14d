package sqlkind

// sqliteFunctions are the functions of SQLite, and of the extensions in its source, that a reader must not
// run. Sections are titles of pages at sqlite.org.
var sqliteFunctions = []functions{
	{
		reason: "what the connection did before",
		manual: "Built-In Scalar SQL Functions",
		names:  []string{"last_insert_rowid", "changes", "total_changes"},
	},
	{
		reason: "code from a file is loaded into the connection",
		manual: "Built-In Scalar SQL Functions",
		names:  []string{"load_extension"},
	},
	{
		reason: "the error log is written",
		manual: "Built-In Scalar SQL Functions (sqlite_log)",
		names:  []string{"sqlite_log"},
	},
	{
		reason: "an index is rewritten, or a tokenizer set for the connection",
		manual: "SQLite FTS3 and FTS4 Extensions",
		names:  []string{"optimize", "fts3_tokenizer"},
	},
	{
		reason: "files are written or read, an editor is started",
		manual: "Command Line Shell For SQLite",
		names:  []string{"writefile", "readfile", "edit", "lsmode", "shell_add_schema", "shell_putsnl"},
	},
	{
		reason: "SQL in a string is run, or a function is defined",
		manual: "ext/misc: eval.c, sha1.c, shathree.c; SQLCipher's sqlcipher_export",
		names:  []string{"eval", "sha1_query", "sha3_query", "sqlcipher_export"},
	},
}
