DROP INDEX core_log_created_at ON core_log;
