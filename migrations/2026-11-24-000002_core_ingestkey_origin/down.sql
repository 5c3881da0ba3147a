SET @ddl = IF(
  EXISTS(SELECT 1 FROM information_schema.columns
         WHERE table_schema = DATABASE() AND table_name = 'core_ingestkey' AND column_name = 'origin'),
  'ALTER TABLE core_ingestkey DROP KEY core_ingestkey_origin, DROP COLUMN origin,
   ADD KEY core_ingestkey_created_at (created_at)',
  'DO 0'
);
PREPARE ddl FROM @ddl;
EXECUTE ddl;
DEALLOCATE PREPARE ddl;
