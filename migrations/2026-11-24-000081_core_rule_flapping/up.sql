-- After how many changes of state an alert of a rule flaps; never when 0. Asked for first, because a statement that was broken
-- off may have been carried out.
SET @ddl = IF(
  EXISTS(SELECT 1 FROM information_schema.columns
         WHERE table_schema = DATABASE() AND table_name = 'core_rule' AND column_name = 'flapping_after'),
  'DO 0',
  'ALTER TABLE core_rule ADD COLUMN flapping_after int NOT NULL DEFAULT 6'
);
PREPARE ddl FROM @ddl;
EXECUTE ddl;
DEALLOCATE PREPARE ddl;
SET @ddl = IF(
  EXISTS(SELECT 1 FROM information_schema.statistics
         WHERE table_schema = DATABASE() AND table_name = 'core_alert' AND index_name = 'core_alert_is_flapping'),
  'DO 0',
  'ALTER TABLE core_alert ADD KEY core_alert_is_flapping (is_flapping, rule_id, app_id)'
);
PREPARE ddl FROM @ddl;
EXECUTE ddl;
DEALLOCATE PREPARE ddl;
