-- What an alert holds beside the seed's columns, and its audit trail. Each column has a default, for Django names only its own.
-- Asked for first, because a statement that was broken off may have been carried out.
SET @ddl = IF(
  EXISTS(SELECT 1 FROM information_schema.columns
         WHERE table_schema = DATABASE() AND table_name = 'core_alert' AND column_name = 'rule_id'),
  'DO 0',
  'ALTER TABLE core_alert
   ADD COLUMN rule_id bigint NULL,
   ADD COLUMN rule_name varchar(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL DEFAULT \'\',
   ADD COLUMN severity varchar(10) NOT NULL DEFAULT \'critical\',
   ADD COLUMN level varchar(10) NULL,
   ADD COLUMN window_start datetime(6) NULL,
   ADD COLUMN window_end datetime(6) NULL,
   ADD COLUMN count bigint NULL,
   ADD COLUMN threshold bigint NULL,
   ADD COLUMN first_log_id bigint NULL,
   ADD COLUMN first_log_at datetime(6) NULL,
   ADD COLUMN last_log_id bigint NULL,
   ADD COLUMN last_log_at datetime(6) NULL,
   ADD COLUMN patterns longtext NULL,
   ADD COLUMN query varchar(2000) NULL,
   ADD COLUMN is_late tinyint(1) NOT NULL DEFAULT 0,
   ADD COLUMN is_flapping tinyint(1) NOT NULL DEFAULT 0,
   ADD COLUMN last_breach_at datetime(6) NULL,
   ADD COLUMN acknowledged_at datetime(6) NULL,
   ADD COLUMN acknowledged_by varchar(100) NULL,
   ADD COLUMN resolved_at datetime(6) NULL,
   ADD COLUMN resolved_by varchar(100) NULL,
   ADD COLUMN assigned_to varchar(100) NULL,
   ADD COLUMN note varchar(1000) NULL,
   ADD KEY core_alert_is_resolved (is_resolved, created_at, id),
   ADD KEY core_alert_rule_id (rule_id, app_id, created_at)'
);
PREPARE ddl FROM @ddl;
EXECUTE ddl;
DEALLOCATE PREPARE ddl;
-- Each change of an alert, written in its transaction; those that were made together have the same batch.
CREATE TABLE IF NOT EXISTS core_alertevent (
  id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
  event_id char(36) NOT NULL,
  alert_id bigint NOT NULL,
  kind varchar(20) NOT NULL,
  at datetime(6) NOT NULL,
  actor varchar(100) NULL,
  note varchar(1000) NULL,
  batch char(36) NULL,
  UNIQUE KEY core_alertevent_event_id (event_id),
  KEY core_alertevent_alert_id (alert_id, id),
  KEY core_alertevent_batch (batch),
  CONSTRAINT core_alertevent_alert_id_fk FOREIGN KEY (alert_id) REFERENCES core_alert (id) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
