ALTER TABLE core_log DROP KEY core_log_app_level, ADD KEY core_log_app_level (app_id, level, created_at);
