-- The newest page of all logs.
-- Asked for first, because a statement that was broken off may have been carried out.
SET @ddl = IF(
  EXISTS(SELECT 1 FROM information_schema.statistics
         WHERE table_schema = DATABASE() AND table_name = 'core_log' AND index_name = 'core_log_created_at'),
  'DO 0',
  'CREATE INDEX core_log_created_at ON core_log (created_at, id)'
);
PREPARE ddl FROM @ddl;
EXECUTE ddl;
DEALLOCATE PREPARE ddl;
