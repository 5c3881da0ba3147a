-- A new name is looked up, and its gap locked, before an app is made.
-- Asked for first, because a statement that was broken off may have been carried out.
SET @ddl = IF(
  EXISTS(SELECT 1 FROM information_schema.statistics
         WHERE table_schema = DATABASE() AND table_name = 'core_app' AND index_name = 'core_app_name'),
  'DO 0',
  'CREATE INDEX core_app_name ON core_app (name)'
);
PREPARE ddl FROM @ddl;
EXECUTE ddl;
DEALLOCATE PREPARE ddl;
