-- What a record may also carry. Each column is at the end and has a default, so that adding it touches no row.
-- A move to partitions that was broken off knows nothing of them: it begins anew.
DROP TRIGGER IF EXISTS core_log_moving_INSERT;
DROP TRIGGER IF EXISTS core_log_moving_UPDATE;
DROP TRIGGER IF EXISTS core_log_moving_DELETE;
DROP TABLE IF EXISTS core_log_moving;
DROP TABLE IF EXISTS core_log_moved;
-- Asked for first, because a statement that was broken off may have been carried out.
SET @ddl = IF(
  EXISTS(SELECT 1 FROM information_schema.columns
         WHERE table_schema = DATABASE() AND table_name = 'core_log' AND column_name = 'timestamp_clamped'),
  'DO 0',
  'ALTER TABLE core_log
   ADD COLUMN attributes longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
   ADD COLUMN trace_id varchar(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
   ADD COLUMN span_id varchar(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
   ADD COLUMN received_at datetime(6) NULL,
   ADD COLUMN timestamp_clamped tinyint(1) NOT NULL DEFAULT 0'
);
PREPARE ddl FROM @ddl;
EXECUTE ddl;
DEALLOCATE PREPARE ddl;
