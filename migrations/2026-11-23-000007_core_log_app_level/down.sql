DROP INDEX core_log_app_level ON core_log;
