-- After how many seconds an alert that is still open, and that nobody looks after, is told again; never when NULL.
-- Asked for first, because a statement that was broken off may have been carried out.
SET @ddl = IF(
  EXISTS(SELECT 1 FROM information_schema.columns
         WHERE table_schema = DATABASE() AND table_name = 'core_channel' AND column_name = 'repeat_after'),
  'DO 0',
  'ALTER TABLE core_channel ADD COLUMN repeat_after int NULL AFTER quiet_hours'
);
PREPARE ddl FROM @ddl;
EXECUTE ddl;
DEALLOCATE PREPARE ddl;
