DROP TABLE IF EXISTS core_alertevent;
ALTER TABLE core_alert
  DROP KEY core_alert_rule_id, DROP KEY core_alert_is_resolved,
  DROP COLUMN note, DROP COLUMN assigned_to, DROP COLUMN resolved_by, DROP COLUMN resolved_at,
  DROP COLUMN acknowledged_by, DROP COLUMN acknowledged_at, DROP COLUMN last_breach_at, 
  DROP COLUMN is_flapping, DROP COLUMN is_late, DROP COLUMN query, DROP COLUMN patterns, DROP COLUMN last_log_at,
  DROP COLUMN last_log_id, DROP COLUMN first_log_at, DROP COLUMN first_log_id, DROP COLUMN threshold, DROP COLUMN count,
  DROP COLUMN window_end, DROP COLUMN window_start, DROP COLUMN level, DROP COLUMN severity, DROP COLUMN rule_name,
  DROP COLUMN rule_id;
