-- The check, the summaries, and the newest page of an app's logs of a level.
-- Asked for first, because a statement that was broken off may have been carried out.
SET @ddl = IF(
  EXISTS(SELECT 1 FROM information_schema.statistics
         WHERE table_schema = DATABASE() AND table_name = 'core_log' AND index_name = 'core_log_app_level'),
  'DO 0',
  'CREATE INDEX core_log_app_level ON core_log (app_id, level, created_at)'
);
PREPARE ddl FROM @ddl;
EXECUTE ddl;
DEALLOCATE PREPARE ddl;
