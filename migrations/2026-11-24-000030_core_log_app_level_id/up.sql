-- The id at the end of the index, where InnoDB has it anyway: only then does MariaDB read the logs of an app and level in
-- the order of (created_at, id) instead of sorting all of them.
-- A move to partitions that was broken off has the index as it was: it begins anew.
DROP TRIGGER IF EXISTS core_log_moving_INSERT;
DROP TRIGGER IF EXISTS core_log_moving_UPDATE;
DROP TRIGGER IF EXISTS core_log_moving_DELETE;
DROP TABLE IF EXISTS core_log_moving;
DROP TABLE IF EXISTS core_log_moved;
-- Asked for first, because a statement that was broken off may have been carried out.
SET @ddl = IF(
  EXISTS(SELECT 1 FROM information_schema.statistics
         WHERE table_schema = DATABASE() AND table_name = 'core_log' AND index_name = 'core_log_app_level' AND column_name = 'id'),
  'DO 0',
  'ALTER TABLE core_log DROP KEY core_log_app_level, ADD KEY core_log_app_level (app_id, level, created_at, id)'
);
PREPARE ddl FROM @ddl;
EXECUTE ddl;
DEALLOCATE PREPARE ddl;
