package sqlkind

// mysqlFunctions are MySQL's and MariaDB's own functions that a reader must not run. LOCK IN SHARE MODE, NEXT
// VALUE FOR and INTO are syntax: they are in mysql.go. No name is a glob, so that the only globs are the user's.
// Sections are those of MySQL's manual for 8.4, or the titles of MariaDB's pages.
var mysqlFunctions = []functions{
	{
		reason: "a lock that outlives the statement, on that server alone: its replica grants the same one",
		manual: "MySQL 14.14 Locking Functions",
		names:  []string{"get_lock", "release_lock", "release_all_locks"},
	},
	{
		reason: "such locks of a service's own",
		manual: "MySQL 7.6.9.1 The Locking Service",
		names:  []string{"service_get_read_locks", "service_get_write_locks", "service_release_locks"},
	},
	{
		reason: "what the session did just before, or is to remember",
		manual: "MySQL 14.15 Information Functions; MariaDB: Galera Functions",
		names: []string{
			"last_insert_id", "found_rows", "row_count", "wsrep_last_seen_gtid", "wsrep_last_written_gtid",
		},
	},
	{
		reason: "a sequence moves, or the session that moved it is asked; NEXTVAL is in mysql.go",
		manual: "MariaDB: Sequence Functions",
		names:  []string{"setval", "lastval"},
	},
	{
		reason: "group replication and its failover are changed",
		manual: "MySQL 14.18.1 Group Replication Functions, 14.18.3 Asynchronous Replication Channel Failover Functions",
		names: []string{
			"group_replication_set_as_primary", "group_replication_switch_to_single_primary_mode",
			"group_replication_switch_to_multi_primary_mode", "group_replication_set_write_concurrency",
			"group_replication_set_communication_protocol", "group_replication_disable_member_action",
			"group_replication_enable_member_action", "group_replication_reset_member_actions",
			"asynchronous_connection_failover_add_managed", "asynchronous_connection_failover_add_source",
			"asynchronous_connection_failover_delete_managed", "asynchronous_connection_failover_delete_source",
			"asynchronous_connection_failover_reset",
		},
	},
	{
		reason: "the server's redo log is archived, kept for a consumer, or written down; its files are limited",
		manual: "MySQL 17.6.5 Redo Log; some are in no manual, but in performance_schema.user_defined_functions of 9.7",
		names: []string{
			"innodb_redo_log_archive_start", "innodb_redo_log_archive_stop", "innodb_redo_log_archive_flush",
			"innodb_redo_log_consumer_register", "innodb_redo_log_consumer_unregister", "innodb_redo_log_consumer_advance",
			"innodb_redo_log_sharp_checkpoint", "innodb_set_open_files_limit",
		},
	},
	{
		reason: "the state that JavaScript keeps in a session",
		manual: "MySQL 7.5.7.1 Multilingual Engine Component",
		names:  []string{"mle_session_reset", "mle_set_session_state"},
	},
	{
		reason: "plugins of the server are told to do something",
		manual: "MySQL 8.4.4.14 Keyring Functions, 8.4.5.7 Audit Log Functions, 8.4.7 MySQL Enterprise Firewall, 7.6.7 Version Tokens",
		names: []string{
			"keyring_key_generate", "keyring_key_remove", "keyring_key_store", "audit_api_message_emit_udf",
			"audit_log_encryption_password_set", "audit_log_filter_flush", "audit_log_filter_remove_filter",
			"audit_log_filter_remove_user", "audit_log_filter_set_filter", "audit_log_filter_set_user", "audit_log_rotate",
			"mysql_firewall_flush_status", "normalize_statement", "read_firewall_group_allowlist", "read_firewall_groups",
			"read_firewall_users", "read_firewall_whitelist", "set_firewall_group_mode", "set_firewall_mode",
			"firewall_group_delist", "firewall_group_enlist", "flush_rewrite_rules", "load_rewrite_rules",
			"version_tokens_delete", "version_tokens_edit", "version_tokens_lock_exclusive", "version_tokens_lock_shared",
			"version_tokens_set", "version_tokens_unlock", "mask_dictionary_term_add", "masking_dictionary_term_add",
			"masking_dictionary_term_remove", "masking_dictionary_remove", "masking_dictionaries_flush",
			"gen_dictionary_load", "gen_dictionary_drop",
		},
	},
	{
		reason: "other servers are told something",
		manual: "MariaDB: Spider Functions (mariadb-plugin-spider)",
		names: []string{
			"spider_direct_sql", "spider_bg_direct_sql", "spider_copy_tables", "spider_flush_table_mon_cache",
			"spider_ping_table",
		},
	},
	{
		reason: "a command in a string is run, or the session is asked what it inserted",
		manual: "Mroonga: 3.3 User-defined functions (mariadb-plugin-mroonga); its others only compute",
		names:  []string{"mroonga_command", "last_insert_grn_id"},
	},
}

// mysqlLocal are functions that tell about the server that is asked. Its tables and what SHOW shows are in
// mysql_local.go.
var mysqlLocal = []functions{
	{
		action: asks,
		reason: "locks of that server",
		manual: "MySQL 14.14 Locking Functions",
		names:  []string{"is_free_lock", "is_used_lock"},
	},
	{
		action: asks,
		reason: "a wait for replication, or a place in the log, which mean one certain server",
		manual: "MySQL 14.18.2 Functions Used with GTIDs, 14.18.4 Position-Based Synchronization Functions; MariaDB: " +
			"MASTER_GTID_WAIT, BINLOG_GTID_POS",
		names: []string{
			"master_gtid_wait", "master_pos_wait", "source_pos_wait", "wait_for_executed_gtid_set",
			"wait_until_sql_thread_after_gtids", "wsrep_sync_wait_upto_gtid", "binlog_gtid_pos",
		},
	},
	{
		action: asks,
		reason: "files of that server, which its replicas do not share",
		manual: "MySQL 14.8 String Functions",
		names:  []string{"load_file"},
	},
	{
		action: local,
		reason: "the next number of a table, in information_schema.TABLES: a replica knows of those that were used",
		manual: "MySQL 28.3.38 The INFORMATION_SCHEMA TABLES Table",
		names:  []string{"auto_increment"},
	},
}
