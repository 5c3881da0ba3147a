-- Silences: times in which nobody is told of the alerts of an app, a rule, or all. One that is ended stays: who and why.
-- `over_at` is when the last of its times ends; NULL where that is not known yet.
CREATE TABLE IF NOT EXISTS core_silence (
  id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
  app_id bigint NULL,
  rule_id bigint NULL,
  starts_at datetime(6) NOT NULL,
  ends_at datetime(6) NULL,
  recurring varchar(200) NULL,
  over_at datetime(6) NULL,
  created_by varchar(100) NOT NULL,
  comment varchar(1000) NOT NULL,
  created_at datetime(6) NOT NULL,
  updated_at datetime(6) NULL,
  updated_by varchar(100) NULL,
  KEY core_silence_over_at (over_at),
  KEY core_silence_app_id (app_id),
  CONSTRAINT core_silence_app_id_fk FOREIGN KEY (app_id) REFERENCES core_app (id) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
-- Which silence an alert is under, and what people were told of it last. Asked for first, because a statement that was broken
-- off may have been carried out.
SET @ddl = IF(
  EXISTS(SELECT 1 FROM information_schema.columns
         WHERE table_schema = DATABASE() AND table_name = 'core_alert' AND column_name = 'silenced_by'),
  'DO 0',
  'ALTER TABLE core_alert
   ADD COLUMN silenced_by bigint NULL,
   ADD COLUMN told varchar(10) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL DEFAULT \'open\',
   ADD KEY core_alert_silenced_by (silenced_by)'
);
PREPARE ddl FROM @ddl;
EXECUTE ddl;
DEALLOCATE PREPARE ddl;
UPDATE core_alert SET told = 'over' WHERE is_resolved = 1 AND told = 'open';
SET @ddl = IF(
  EXISTS(SELECT 1 FROM information_schema.columns
         WHERE table_schema = DATABASE() AND table_name = 'core_alertevent' AND column_name = 'silence_id'),
  'DO 0',
  'ALTER TABLE core_alertevent ADD COLUMN silence_id bigint NULL'
);
PREPARE ddl FROM @ddl;
EXECUTE ddl;
DEALLOCATE PREPARE ddl;
