package sqlkind

var sqliteFunctions = []functions{
	{
		reason: "what the connection did before",
		manual: "Built-In Scalar SQL Functions",
		names:  []string{"last_insert_rowid", "changes", "total_changes"},
	},
	{
		reason: "runs code from a file",
		manual: "Built-In Scalar SQL Functions",
		names:  []string{"load_extension"},
	},
}
