-- Keys are kept for as long as their requests can come again: a client may send its own for days, a queued batch without one
-- comes again only when its worker died.
-- Asked for first, because a statement that was broken off may have been carried out.
SET @ddl = IF(
  EXISTS(SELECT 1 FROM information_schema.columns
         WHERE table_schema = DATABASE() AND table_name = 'core_ingestkey' AND column_name = 'origin'),
  'DO 0',
  'ALTER TABLE core_ingestkey ADD COLUMN origin varchar(6) NOT NULL DEFAULT \'client\',
   DROP KEY core_ingestkey_created_at, ADD KEY core_ingestkey_origin (origin, created_at)'
);
PREPARE ddl FROM @ddl;
EXECUTE ddl;
DEALLOCATE PREPARE ddl;
