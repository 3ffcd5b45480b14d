package sqlkind

// postgresFunctions: placeholder order, by the manual's chapter.
var postgresFunctions = []functions{
	{
		reason: "a sequence moves, or is remembered by the session that moved it",
		manual: "9.17 Sequence Manipulation Functions",
		names:  []string{"nextval", "setval", "currval", "lastval", "pg_nextoid"},
	},
	{
		reason: "a lock that lasts, on that server alone",
		manual: "9.27.10 Advisory Lock Functions",
		names:  []string{"pg_advisory_*", "pg_try_advisory_*"},
	},
	{
		reason: "set something for the session",
		manual: "9.27.1 Configuration Settings Functions",
		names:  []string{"set_config", "setseed"},
	},
	{
		reason: "wake listeners, on the writer only",
		manual: "NOTIFY",
		names:  []string{"pg_notify", "pg_listening_channels"},
	},
	{
		reason: "a transaction ID is assigned",
		manual: "9.26.7 Transaction ID and Snapshot Information Functions",
		names:  []string{"txid_current", "pg_current_xact_id", "pg_export_snapshot"},
	},
	{
		reason: "large objects are created, changed, or opened in a transaction",
		manual: "35.4 Server-Side Functions",
		names: []string{
			"lo_creat", "lo_create", "lo_from_bytea", "lo_put", "lo_get", "lo_import", "lo_export", "lo_unlink", "lo_open",
			"lo_close", "loread", "lowrite", "lo_lseek", "lo_lseek64", "lo_tell", "lo_tell64", "lo_truncate",
			"lo_truncate64", "lo_manage",
		},
	},
}
