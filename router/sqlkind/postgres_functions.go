package sqlkind

// postgresFunctions are PostgreSQL's own functions, up to version 18, that a reader must not run. All that
// pg_proc calls volatile, and a few it calls stable, were looked at; those left out, and why, are in
// catalog_test.go, and those that tell about the server that is asked in postgres_local.go. Sections are those of the
// manual for version 18.
var postgresFunctions = []functions{
	{
		reason: "a sequence moves, or the session that moved it is asked",
		manual: "9.17 Sequence Manipulation Functions",
		names:  []string{"nextval", "setval", "currval", "lastval"},
	},
	{
		reason: "a lock that outlives the statement, on that server alone: its replica grants the same one",
		manual: "9.28.10 Advisory Lock Functions",
		names:  []string{"pg_advisory_*", "pg_try_advisory_*"},
	},
	{
		reason: "a setting of the session",
		manual: "9.28.1 Configuration Settings Functions, 9.3 Mathematical Functions (setseed)",
		names:  []string{"set_config", "setseed"},
	},
	{
		reason: "listeners are woken from the writer, and a session listens there",
		manual: "9.27.1 Session Information Functions, NOTIFY",
		names:  []string{"pg_notify", "pg_listening_channels"},
	},
	{
		reason: "a transaction gets its number, which is a write",
		manual: "9.27.8 Transaction ID and Snapshot Information Functions",
		names:  []string{"txid_current", "pg_current_xact_id"},
	},
	{
		reason: "a snapshot is kept for other sessions of that server",
		manual: "9.28.5 Snapshot Synchronization Functions",
		names:  []string{"pg_export_snapshot"},
	},
	{
		reason: "a large object is written, or a descriptor opened in the session's transaction",
		manual: "33.4 Server-Side Functions",
		names: []string{
			"lo_creat", "lo_create", "lo_from_bytea", "lo_put", "lo_get", "lo_import", "lo_export", "lo_unlink",
			"lo_open", "lo_close", "loread", "lowrite", "lo_lseek", "lo_lseek64", "lo_tell", "lo_tell64",
			"lo_truncate", "lo_truncate64",
		},
	},
	{
		reason: "SQL in a string, or from a cursor of the session, is run",
		manual: "9.15.4 Mapping Tables to XML, 12.4 Additional Features (text search)",
		names: []string{
			"query_to_xml", "query_to_xmlschema", "query_to_xml_and_xmlschema", "cursor_to_xml", "cursor_to_xmlschema",
			"ts_rewrite", "ts_stat",
		},
	},
	{
		reason: "another session, or the server, is told to do something",
		manual: "9.28.2 Server Signaling Functions",
		names: []string{
			"pg_cancel_backend", "pg_terminate_backend", "pg_log_backend_memory_contexts",
			"pg_get_process_memory_contexts", "pg_reload_conf", "pg_rotate_logfile", "pg_rotate_logfile_old",
		},
	},
	{
		reason: "the write log is written, or is asked for a place that only a primary has",
		manual: "9.28.3 Backup Control Functions",
		names: []string{
			"pg_backup_start", "pg_backup_stop", "pg_start_backup", "pg_stop_backup", "pg_is_in_backup",
			"pg_backup_start_time", "pg_create_restore_point", "pg_switch_wal", "pg_switch_xlog",
			"pg_log_standby_snapshot", "pg_current_wal_lsn", "pg_current_wal_insert_lsn", "pg_current_wal_flush_lsn",
			"pg_walfile_name", "pg_walfile_name_offset",
		},
	},
	{
		reason: "a standby stops, goes on or becomes a primary",
		manual: "9.28.4 Recovery Control Functions",
		names:  []string{"pg_promote", "pg_wal_replay_pause", "pg_wal_replay_resume"},
	},
	{
		reason: "replication slots and origins are made, used up or removed; a peek holds the slot",
		manual: "9.28.6 Replication Management Functions",
		names: []string{
			"pg_create_physical_replication_slot", "pg_create_logical_replication_slot",
			"pg_copy_physical_replication_slot", "pg_copy_logical_replication_slot", "pg_drop_replication_slot",
			"pg_replication_slot_advance", "pg_logical_slot_*", "pg_logical_emit_message", "pg_sync_replication_slots",
			"pg_replication_origin_create", "pg_replication_origin_drop", "pg_replication_origin_advance",
			"pg_replication_origin_progress", "pg_replication_origin_session_*", "pg_replication_origin_xact_*",
		},
	},
	{
		reason: "an index or a catalog is changed",
		manual: "9.28.8 Index Maintenance Functions, 9.28.7.3 Collation Management Functions",
		names: []string{
			"brin_summarize_new_values", "brin_summarize_range", "brin_desummarize_range", "gin_clean_pending_list",
			"pg_import_system_collations",
		},
	},
	{
		reason: "statistics are changed",
		manual: "9.28.7.4 Statistics Manipulation Functions, 27.2.29 Statistics Functions",
		names: []string{
			"pg_stat_reset*", "pg_stat_clear_snapshot", "pg_stat_force_next_flush", "pg_restore_relation_stats",
			"pg_restore_attribute_stats", "pg_restore_extended_stats", "pg_clear_relation_stats",
			"pg_clear_attribute_stats", "pg_clear_extended_stats", "pg_set_relation_stats", "pg_set_attribute_stats",
		},
	},
	{
		reason: "for pg_upgrade, initdb and extensions' scripts alone",
		manual: "no section: src/include/catalog/pg_proc.dat",
		names: []string{
			"binary_upgrade_*", "pg_nextoid", "pg_stop_making_pinned_objects", "pg_extension_config_dump",
		},
	},
	{
		reason: "extensions that come with the server: another server is told something, or SQL in a string is run",
		manual: "F.11 dblink, F.38 postgres_fdw, F.43 tablefunc, F.51 xml2",
		names: []string{
			"dblink", "dblink_exec", "dblink_connect", "dblink_connect_u", "dblink_disconnect", "dblink_open",
			"dblink_fetch", "dblink_close", "dblink_send_query", "dblink_get_result", "dblink_cancel_query",
			"dblink_build_sql_insert", "dblink_build_sql_delete", "dblink_build_sql_update", "dblink_get_connections",
			"dblink_error_message", "dblink_is_busy", "dblink_get_notify", "postgres_fdw_disconnect",
			"postgres_fdw_disconnect_all", "crosstab", "crosstab2", "crosstab3", "crosstab4", "crosstabn", "connectby",
			"xpath_table",
		},
	},
	{
		reason: "extensions that come with the server: something there is changed, or strongly locked",
		manual: "F.1 adminpack (up to 16), F.2 amcheck, F.24 pg_buffercache, F.30 pg_prewarm, F.32 pg_stat_statements, " +
			"F.34 pg_surgery, F.36 pg_visibility, 70 Custom WAL",
		names: []string{
			"pg_file_write", "pg_file_sync", "pg_file_rename", "pg_file_unlink", "bt_index_parent_check",
			"pg_buffercache_evict*", "pg_buffercache_mark_dirty*", "pg_prewarm", "autoprewarm_start_worker",
			"autoprewarm_dump_now", "pg_stat_statements_reset", "heap_force_freeze", "heap_force_kill",
			"pg_truncate_visibility_map", "pg_stash_advice",
		},
	},
}
