package sqlkind

// postgresExtensions are functions of the extensions that Debian packages for PostgreSQL (postgresql-15-* of bookworm,
// postgresql-17-* of trixie and postgresql-18-* of unstable were read, list by list) that a reader must not run: all
// that write, or keep something in the session, the server or elsewhere, whatever PostgreSQL was told about their
// volatility. An extension with a schema of its own is known by that: cron.schedule is a write, schedule may be anything.
//
// Left out: pgTAP, whose names are anything's (is, ok, plan) and whose tables a standby refuses to write; Slony, whose
// schema is named by its user; pgRouting's searches, which run the query they are given as one that only reads; functions
// in PL languages and through foreign tables, which are the user's own.
var postgresExtensions = []functions{
	{
		reason: "a setting of the session, also where it is declared immutable",
		manual: "PostgreSQL F.18 isn, F.35 pg_trgm; Debian: hll, icu-ext, orafce, pgmp, set-user",
		names: []string{
			"isn_weak", "set_limit", "show_limit", "hll_set_defaults", "hll_set_max_sparse", "hll_set_output_version",
			"icu_set_default_locale", "icu_default_locale", "set_nls_sort", "dbms_random.initialize", "dbms_random.seed",
			"dbms_random.terminate", "plvdate.*", "plvsubst.*", "randinit", "randinit_lc_2exp", "randinit_lc_2exp_size",
			"randinit_mt", "randseed", "urandomb", "urandomm", "rrandomb", "set_user", "set_user_u", "reset_user",
			"set_session_auth",
		},
	},
	{
		reason: "what a session keeps: statements, indexes that do not exist, buffers, cursors",
		manual: "PostgreSQL F.38 postgres_fdw; Debian: hypopg, preprepare, orafce, snakeoil, plr, mysql-fdw",
		names: []string{
			"postgres_fdw_get_connections", "hypopg", "hypopg_create_index", "hypopg_drop_index", "hypopg_get_indexdef",
			"hypopg_hide_index", "hypopg_relation_size", "hypopg_reset",
			"hypopg_reset_index", "hypopg_unhide_all_indexes", "hypopg_unhide_index", "prepare_all", "discard",
			"dbms_output.*", "dbms_sql.*", "so_update_signatures", "plr_set_display", "plr_set_rhome", "plr_unset_rhome",
			"install_rcmd", "reload_plr_modules", "load_r_typenames", "mysql_fdw_display_pushdown_list",
		},
	},
	{
		reason: "other sessions of that server are told something, by its memory",
		manual: "Debian: orafce (dbms_alert, dbms_pipe)",
		names:  []string{"dbms_alert.*", "dbms_pipe.*"},
	},
	{
		reason: "files of that server are written",
		manual: "Debian: orafce (utl_file)",
		names:  []string{"utl_file.*"},
	},
	{
		reason: "other servers are told something, or are asked over a connection of the session",
		manual: "Debian: http, pgmemcache, pgpool2",
		names: []string{
			"http", "http_get", "http_head", "http_post", "http_put", "http_patch", "http_delete", "http_list_curlopt",
			"http_set_curlopt", "http_reset_curlopt", "memcache_add", "memcache_append", "memcache_decr",
			"memcache_delete", "memcache_flush_all", "memcache_get", "memcache_get_multi", "memcache_incr",
			"memcache_prepend", "memcache_replace", "memcache_server_add", "memcache_set", "memcache_stats",
			"pcp_attach_node", "pcp_detach_node", "pcp_health_check_stats", "pcp_node_count", "pcp_node_info",
			"pcp_pool_status", "pcp_proc_info", "pgpool_pgctl", "pgpool_recovery", "pgpool_remote_start",
			"pgpool_switch_xlog",
		},
	},
	{
		reason: "work is given to processes of that server",
		manual: "Debian: cron, pg-background, pldebugger, omnidb, pg-rewrite, squeeze, timescaledb",
		names: []string{
			"cron.*", "pg_background_*", "grant_pg_background_privileges", "revoke_pg_background_privileges", "plpgsql_oid_debug", "omnidb.omnidb_enable_debugger", "partition_table", "rewrite_table",
			"rewrite_table_nowait", "squeeze.*", "add_job", "alter_job", "delete_job", "run_job", "pldbg_abort_target", "pldbg_attach_to_port", "pldbg_continue",
			"pldbg_create_listener", "pldbg_deposit_value", "pldbg_drop_breakpoint", "pldbg_get_breakpoints",
			"pldbg_get_proxy_info", "pldbg_get_source", "pldbg_get_stack", "pldbg_get_variables", "pldbg_oid_debug",
			"pldbg_select_frame", "pldbg_set_breakpoint", "pldbg_set_global_breakpoint", "pldbg_step_into",
			"pldbg_step_over", "pldbg_wait_for_breakpoint", "pldbg_wait_for_target",
		},
	},
	{
		reason: "what the server keeps is reset, loaded or changed",
		manual: "Debian: credcheck, pgfincore, pg-qualstats, pg-wait-sampling, plpgsql-check, plprofiler, show-plans, prioritize, unit, " +
			"pg-stat-kcache, pg-stat-plans, stat-log, pg-textsearch; PostgreSQL up to 16 F.1 adminpack",
		names: []string{
			"pg_banned_role_reset", "pg_password_history_reset", "pg_password_history_timestamp",
			"credcheck_record_auth_failure", "pgfadvise", "pgfadvise_dontneed", "pgfadvise_loader", "pgfadvise_normal",
			"pgfadvise_random", "pgfadvise_sequential", "pgfadvise_willneed", "pg_qualstats_reset",
			"pg_wait_sampling_reset_profile", "plpgsql_check_pragma", "plpgsql_check_profiler", "plpgsql_check_tracer",
			"plpgsql_profiler_reset", "plpgsql_profiler_reset_all", "plpgsql_profiler_install_fake_queryid_hook",
			"plpgsql_profiler_remove_fake_queryid_hook", "pl_profiler_collect_data", "pl_profiler_reset_local",
			"pl_profiler_reset_shared", "pl_profiler_set_collect_interval", "pl_profiler_set_enabled_global",
			"pl_profiler_set_enabled_local", "pl_profiler_set_enabled_pid", "pg_show_plans_enable",
			"pg_show_plans_disable", "pgsp_format_json", "pgsp_format_text", "pgsp_format_xml", "pgsp_format_yaml",
			"set_backend_priority", "unit_load", "unit_reset", "pg_stat_kcache_reset", "pg_stat_plans_reset",
			"pg_stat_log_reset", "bm25_compact", "bm25_compact_step", "bm25_compact_step_if_current", "bm25_force_merge",
			"bm25_spill_index", "bm25_cache_apply_to_tail", "bm25_cache_bump_spill_generation", "bm25_cache_cold_build",
			"bm25_cache_evict_largest", "pg_logfile_rotate",
		},
	},
	{
		reason: "queues, jobs, partitions and replication are kept in tables",
		manual: "Debian: pgq3, pgq-node, londiste-sql, mimeo, partman, pglogical, pglogical-ticker, pgl-ddl-deploy, pg-fact-loader, " +
			"repack, repmgr, auto-failover, statviz, powa, pg-track-settings, tablelog, periods",
		names: []string{
			"pgq.*", "pgq_node.*", "pgq_coop.*", "pgq_ext.*", "londiste.*", "mimeo.*", "partman.*", "pglogical.*",
			"pglogical_ticker.*", "pgl_ddl_deploy.*", "fact_loader.*", "repack.*", "repmgr.*", "pgautofailover.*",
			"pgstatviz.*", "powa_take_snapshot", "powa_reset", "powa_statements_reset", "powa_user_functions_reset",
			"powa_all_tables_reset", "powa_all_indexes_reset", "powa_kcache_reset", "powa_qualstats_reset",
			"powa_wait_sampling_reset", "powa_register_server", "powa_configure_server", "powa_deactivate_server",
			"powa_delete_and_purge_server", "powa_activate_extension", "powa_deactivate_extension",
			"powa_activate_module", "powa_deactivate_module", "powa_activate_db_module", "powa_deactivate_db_module",
			"setup_powa_roles", "pg_track_settings_reset", "pg_track_settings_snapshot",
			"pg_track_settings_snapshot_rds", "pg_track_settings_snapshot_reboot", "pg_track_settings_snapshot_settings",
			"table_log_init", "table_log_restore_table", "periods.*",
		},
	},
	{
		reason: "tables are made, changed or filled",
		manual: "Debian: timescaledb",
		names: []string{
			"create_hypertable", "create_distributed_hypertable", "add_dimension", "add_data_node",
			"attach_tablespace", "detach_tablespace", "detach_tablespaces", "attach_chunk", "detach_chunk", "move_chunk",
			"merge_chunks", "split_chunk", "reorder_chunk", "compress_chunk", "decompress_chunk", "recompress_chunk",
			"drop_chunks", "convert_to_columnstore", "convert_to_rowstore", "set_chunk_time_interval",
			"set_integer_now_func", "set_number_partitions", "set_partitioning_interval", "set_adaptive_chunking",
			"enable_chunk_skipping", "disable_chunk_skipping", "add_columnstore_policy", "add_compaction_policy",
			"add_compression_policy", "add_continuous_aggregate_policy", "add_process_hypertable_invalidations_policy",
			"add_reorder_policy", "add_retention_policy", "remove_columnstore_policy", "remove_compaction_policy",
			"remove_compression_policy", "remove_continuous_aggregate_policy",
			"remove_process_hypertable_invalidations_policy", "remove_reorder_policy", "remove_retention_policy",
			"timescaledb_pre_restore", "timescaledb_post_restore", "timescaledb_experimental.*",
		},
	},
	{
		reason: "tables are made, changed or filled",
		manual: "Debian: postgis-3 (also its raster, topology and tiger geocoder), pgrouting, pointcloud",
		names: []string{
			"addgeometrycolumn", "dropgeometrycolumn", "dropgeometrytable", "updategeometrysrid",
			"populate_geometry_columns", "probe_geometry_columns", "fix_geometry_columns", "addauth", "lockrow",
			"unlockrows", "enablelongtransactions", "disablelongtransactions", "addrasterconstraints",
			"droprasterconstraints", "addoverviewconstraints", "dropoverviewconstraints", "updaterastersrid",
			"st_createoverview", "postgis_extensions_upgrade", "postgis_extension_drop_if_exists", "addedge", "addface",
			"addnode", "addtopogeometrycolumn", "addtosearchpath", "cleartopogeom", "copytopology", "createtopogeom",
			"createtopology", "droptopogeometrycolumn", "droptopology", "fixcorrupttopogeometrycolumn",
			"maketopologyprecise", "populate_topology_layer", "removeunusedprimitives", "renametopogeometrycolumn",
			"renametopology", "upgradetopology", "st_addedgemodface", "st_addedgenewfaces", "st_addisoedge",
			"st_addisonode", "st_changeedgegeom", "st_createtopogeo", "st_inittopogeo", "st_modedgeheal",
			"st_modedgesplit", "st_moveisonode", "st_newedgeheal", "st_newedgessplit", "st_remedgemodface",
			"st_remedgenewface", "st_remisonode", "st_removeisoedge", "st_removeisonode", "topogeo_addgeometry",
			"topogeo_addlinestring", "topogeo_addpoint", "topogeo_addpolygon", "topogeo_loadgeometry",
			"topogeom_addelement", "topogeom_addtopogeom", "topogeom_remelement", "totopogeom",
			"install_missing_indexes", "install_pagc_tables", "install_geocode_settings", "loader_load_staged_data",
			"set_geocode_setting", "topology_load_tiger", "pgr_createtopology", "pgr_createverticestable",
			"pgr_nodenetwork", "pgr_analyzegraph", "pgr_analyzeoneway", "pc_upgrade",
		},
	},
	{
		reason: "tables are made, changed or filled, also by a query in a string",
		manual: "Debian: age",
		names: []string{
			"cypher", "create_graph", "create_complete_graph", "create_subgraph", "create_vlabel", "create_elabel",
			"age_create_barbell_graph", "age_prepare_pg_upgrade", "age_finish_pg_upgrade",
			"age_revert_pg_upgrade_changes", "alter_graph", "drop_graph", "drop_label", "load_labels_from_file",
			"load_edges_from_file",
		},
	},
	{
		reason: "tables are made, changed or filled",
		manual: "Debian: pg-ivm, pgfaceting",
		names: []string{
			"create_immv", "refresh_immv", "restore_immv", "faceting.add_*", "faceting.create_delta_trigger",
			"faceting.drop_*", "faceting.merge_deltas", "faceting.populate_facets",
		},
	},
	{
		reason: "documents are changed, or a cursor opened on that server",
		manual: "Debian: documentdb",
		names: []string{
			"documentdb_api.*", "documentdb_api_v2.*", "documentdb_api_distributed.*",
			"documentdb_api_internal_readwrite.*", "documentdb_api_internal_admin.*",
		},
	},
}
