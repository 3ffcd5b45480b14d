package sqlkind

// postgresLocal are the relations and functions of PostgreSQL, up to version 18, and of the extensions that Debian
// packages for it, that tell about the server that is asked. A standby has another answer, or none: what follows is
// what judge_postgres_test.go has seen to differ, and its like. Sections are those of the manual for version 18.
//
// What asks which server it is, or what only a standby knows, is a plain read and stands in judge_postgres_test.go:
// pg_is_in_recovery, inet_server_port, pg_last_wal_replay_lsn, pg_stat_wal_receiver.
var postgresLocal = []functions{
	{
		action: position,
		reason: "where a sequence stands: a standby is told only now and then, up to 32 values ahead",
		manual: "CREATE SEQUENCE, Notes",
		names:  []string{"last_value", "log_cnt", "is_called"},
	},
	{
		action: local,
		reason: "where all sequences stand",
		manual: "53.21 pg_sequences",
		names:  []string{"pg_sequences"},
	},
	{
		action: asks,
		reason: "where a sequence stands",
		manual: "no section: src/include/catalog/pg_proc.dat",
		names:  []string{"pg_sequence_last_value", "pg_get_sequence_data"},
	},
	{
		action: asks,
		reason: "which transactions run: a standby's list is empty while the primary's are running",
		manual: "9.27.8 Transaction ID and Snapshot Information Functions",
		names:  []string{"pg_current_snapshot", "txid_current_snapshot"},
	},
	{
		action: local,
		reason: "transactions that wait for COMMIT PREPARED: a standby shows none",
		manual: "53.17 pg_prepared_xacts",
		names:  []string{"pg_prepared_xacts", "pg_prepared_xact"},
	},
	{
		action: local,
		reason: "the slots, origins and receivers of that server's log",
		manual: "53.20 pg_replication_slots, 53.19 pg_replication_origin_status",
		names: []string{
			"pg_replication_slots", "pg_get_replication_slots", "pg_replication_origin_status",
			"pg_show_replication_origin_status",
		},
	},
	{
		action: local,
		reason: "statistics, which each server counts for itself; those of pg_stat_statements and other extensions, too",
		manual: "27.2 The Cumulative Statistics System, 27.4 Progress Reporting",
		names:  []string{"pg_stat_*", "pg_statio_*"},
	},
	{
		action: free,
		reason: "statistics of recovery, which only a standby has",
		manual: "27.2.5 pg_stat_wal_receiver, 27.2.6 pg_stat_recovery_prefetch, 27.2.18 pg_stat_database_conflicts",
		names: []string{
			"pg_stat_wal_receiver", "pg_stat_get_wal_receiver", "pg_stat_recovery_prefetch",
			"pg_stat_get_recovery_prefetch", "pg_stat_database_conflicts", "pg_stat_get_db_conflict_all",
			"pg_stat_get_db_conflict_bufferpin", "pg_stat_get_db_conflict_lock", "pg_stat_get_db_conflict_logicalslot",
			"pg_stat_get_db_conflict_snapshot", "pg_stat_get_db_conflict_startup_deadlock",
			"pg_stat_get_db_conflict_tablespace",
		},
	},
	{
		action: local,
		reason: "sessions, their locks and what they keep",
		manual: "53.13 pg_locks, 53.6 pg_cursors, 53.16 pg_prepared_statements, 9.27.1 Session Information Functions",
		names: []string{
			"pg_locks", "pg_lock_status", "pg_blocking_pids", "pg_safe_snapshot_blocking_pids",
			"pg_isolation_test_session_is_blocked", "pg_notification_queue_usage", "pg_cursors", "pg_cursor",
			"pg_prepared_statements", "pg_prepared_statement",
		},
	},
	{
		action: local,
		reason: "the memory of that server's processes, and what they do with it",
		manual: "53.4 pg_backend_memory_contexts, 53.26 pg_shmem_allocations, 53.2 pg_aios",
		names: []string{
			"pg_backend_memory_contexts", "pg_get_backend_memory_contexts", "pg_shmem_allocations",
			"pg_get_shmem_allocations", "pg_shmem_allocations_numa", "pg_get_shmem_allocations_numa", "pg_aios",
			"pg_get_aios", "pg_get_loaded_modules",
		},
	},
	{
		action: local,
		reason: "files of that server: what it was configured with, and logged",
		manual: "53.7 pg_file_settings, 53.9 pg_hba_file_rules, 53.10 pg_ident_file_mappings, 9.27.1 (pg_current_logfile)",
		names: []string{
			"pg_file_settings", "pg_show_all_file_settings", "pg_hba_file_rules", "pg_ident_file_mappings",
			"pg_current_logfile",
		},
	},
	{
		action: asks,
		reason: "files of that server, which its replicas do not share",
		manual: "9.28.9 Generic File Access Functions; up to 16 F.1 adminpack",
		names: []string{
			"pg_read_file", "pg_read_file_old", "pg_read_binary_file", "pg_stat_file", "pg_ls_dir", "pg_ls_logdir",
			"pg_ls_waldir", "pg_ls_tmpdir", "pg_ls_archive_statusdir", "pg_ls_logicalmapdir", "pg_ls_logicalsnapdir",
			"pg_ls_replslotdir", "pg_ls_summariesdir", "pg_file_read", "pg_file_length", "pg_logdir_ls",
		},
	},
	{
		action: asks,
		reason: "that server's checkpoints and summaries of its log",
		manual: "9.27.13 Control Data Functions, 9.27.14 WAL Summarization Information Functions",
		names: []string{
			"pg_control_checkpoint", "pg_control_system", "pg_available_wal_summaries", "pg_wal_summary_contents",
			"pg_get_wal_summarizer_state",
		},
	},
	{
		action: local,
		reason: "extensions that come with the server: its memory, its log, and its own copy of the data",
		manual: "F.2 amcheck, F.23 pageinspect, F.25 pg_buffercache, F.27 pg_freespacemap, F.31 pgrowlocks, F.37 pg_walinspect; " +
			"up to 16 old_snapshot; from 18 pg_logicalinspect",
		names: []string{
			"pg_buffercache", "pg_buffercache_pages", "pg_buffercache_summary", "pg_buffercache_usage_counts",
			"pg_buffercache_numa", "pg_buffercache_numa_pages", "pg_freespace", "pgrowlocks", "pg_old_snapshot_time_mapping",
			"pg_get_wal_record_info", "pg_get_wal_records_info", "pg_get_wal_records_info_till_end_of_wal",
			"pg_get_wal_block_info", "pg_get_wal_fpi_info", "pg_get_wal_stats", "pg_get_wal_stats_till_end_of_wal",
			"pg_get_logical_snapshot_meta", "pg_get_logical_snapshot_info", "bt_index_check", "gin_index_check",
			"verify_heapam", "get_raw_page", "bt_metap", "bt_page_stats", "bt_page_items", "bt_multi_page_stats",
			"hash_bitmap_info",
		},
	},
	{
		action: local,
		reason: "extensions that watch the server",
		manual: "Debian: credcheck, pgfincore, pg-qualstats, pg-wait-sampling, pgsentinel, show-plans, plprofiler, " +
			"plpgsql-check, pg-rewrite, prioritize, plr, pg-textsearch, pg-background, hypopg; pg-stat-kcache, pg-stat-plans and stat-log are pg_stat_*",
		names: []string{
			"pg_banned_role", "pg_lastlog", "credcheck_lastlog", "pg_password_history", "pgfincore", "pgsysconf",
			"pgsysconf_pretty", "pg_qualstats", "pg_qualstats_all", "pg_qualstats_by_query", "pg_qualstats_pretty",
			"pg_qualstats_names", "pg_qualstats_example_query", "pg_qualstats_example_queries",
			"pg_qualstats_index_advisor", "pg_wait_sampling_current", "pg_wait_sampling_history",
			"pg_wait_sampling_profile", "pg_wait_sampling_get_current", "pg_wait_sampling_get_history",
			"pg_wait_sampling_get_profile", "pg_active_session_history", "get_parsedinfo", "pg_show_plans",
			"pg_show_plans_q", "pl_profiler_callgraph_local", "pl_profiler_callgraph_shared",
			"pl_profiler_callgraph_overflow", "pl_profiler_func_oids_local", "pl_profiler_func_oids_shared",
			"pl_profiler_functions_overflow", "pl_profiler_lines_overflow", "pl_profiler_linestats_local",
			"pl_profiler_linestats_shared", "pl_profiler_get_collect_interval", "pl_profiler_get_enabled_global",
			"pl_profiler_get_enabled_local", "pl_profiler_get_enabled_pid", "plpgsql_coverage_branches",
			"plpgsql_coverage_statements", "plpgsql_profiler_function_statements_tb", "plpgsql_profiler_function_tb",
			"plpgsql_profiler_functions_all", "pg_rewrite_get_task_list", "pg_rewrite_progress",
			"get_backend_priority", "plr_environ", "bm25_memory_usage", "bm25_cache_global_estimated_bytes", "pg_background_activity", "pg_background_list",
			"hypopg_list_indexes", "hypopg_hidden_indexes",
		},
	},
	{
		action: local,
		reason: "the machine that the server runs on",
		manual: "Debian: pgnodemx",
		names: []string{
			"cgroup_array_bigint", "cgroup_array_text", "cgroup_mode", "cgroup_path", "cgroup_process_count",
			"cgroup_scalar_bigint", "cgroup_scalar_float8", "cgroup_scalar_text", "cgroup_setof_bigint",
			"cgroup_setof_ksv", "cgroup_setof_kv", "cgroup_setof_nkv", "cgroup_setof_text", "envvar_bigint",
			"envvar_text", "fsinfo", "kdapi_scalar_bigint", "kdapi_setof_kv", "pg_cputime", "pg_diskusage", "pg_loadavg",
			"pg_memusage", "pg_proctab", "proc_cputime", "proc_diskstats", "proc_loadavg", "proc_meminfo",
			"proc_mountinfo", "proc_network_stats", "proc_pid_cmdline", "proc_pid_io", "proc_pid_stat",
		},
	},
}
