SET @ddl = IF(
  EXISTS(SELECT 1 FROM information_schema.columns
         WHERE table_schema = DATABASE() AND table_name = 'core_log' AND column_name = 'timestamp_clamped'),
  'ALTER TABLE core_log DROP COLUMN timestamp_clamped, DROP COLUMN received_at, DROP COLUMN span_id,
   DROP COLUMN trace_id, DROP COLUMN attributes',
  'DO 0'
);
PREPARE ddl FROM @ddl;
EXECUTE ddl;
DEALLOCATE PREPARE ddl;
