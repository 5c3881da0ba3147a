-- The summaries of a day and of a range of days.
-- Asked for first, because a statement that was broken off may have been carried out.
SET @ddl = IF(
  EXISTS(SELECT 1 FROM information_schema.statistics
         WHERE table_schema = DATABASE() AND table_name = 'core_logsummary' AND index_name = 'core_logsummary_date'),
  'DO 0',
  'CREATE INDEX core_logsummary_date ON core_logsummary (date, app_id)'
);
PREPARE ddl FROM @ddl;
EXECUTE ddl;
DEALLOCATE PREPARE ddl;
