ALTER TABLE core_alertevent DROP COLUMN silence_id;
ALTER TABLE core_alert DROP KEY core_alert_silenced_by, DROP COLUMN told, DROP COLUMN silenced_by;
DROP TABLE IF EXISTS core_silence;
