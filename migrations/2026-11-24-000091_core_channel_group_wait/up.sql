-- For how many seconds what happens waits for what happens with it, to be told in one message; each is told by itself when NULL.
-- Asked for first, because a statement that was broken off may have been carried out.
SET @ddl = IF(
  EXISTS(SELECT 1 FROM information_schema.columns
         WHERE table_schema = DATABASE() AND table_name = 'core_channel' AND column_name = 'group_wait'),
  'DO 0',
  'ALTER TABLE core_channel ADD COLUMN group_wait int NULL AFTER rate_limit'
);
PREPARE ddl FROM @ddl;
EXECUTE ddl;
DEALLOCATE PREPARE ddl;
