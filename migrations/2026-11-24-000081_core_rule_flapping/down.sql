ALTER TABLE core_alert DROP KEY core_alert_is_flapping;
ALTER TABLE core_rule DROP COLUMN flapping_after;
