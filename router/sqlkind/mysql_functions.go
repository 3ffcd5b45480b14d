package sqlkind

var mysqlFunctions = []functions{
	{
		reason: "a lock that lasts, on that server alone",
		manual: "MySQL 14.14 Locking Functions",
		names:  []string{"get_lock", "release_lock", "release_all_locks", "is_free_lock", "is_used_lock"},
	},
	{
		reason: "what the session did before",
		manual: "MySQL 14.15 Information Functions",
		names:  []string{"last_insert_id", "found_rows", "row_count"},
	},
	{
		reason: "a sequence moves, or is remembered by the session that moved it",
		manual: "MariaDB Sequence Functions",
		names:  []string{"setval", "lastval"},
	},
}
