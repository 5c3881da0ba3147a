-- The counts of an hour lie together by level, in the order in which a histogram adds them up.
-- Asked for first, because a statement that was broken off may have been carried out.
SET @ddl = IF(
  EXISTS(SELECT 1 FROM information_schema.statistics
         WHERE table_schema = DATABASE() AND table_name = 'core_loghourcount' AND index_name = 'PRIMARY'
           AND column_name = 'level' AND seq_in_index = 2),
  'DO 0',
  'ALTER TABLE core_loghourcount DROP PRIMARY KEY, ADD PRIMARY KEY (hour, level, app_id)'
);
PREPARE ddl FROM @ddl;
EXECUTE ddl;
DEALLOCATE PREPARE ddl;
