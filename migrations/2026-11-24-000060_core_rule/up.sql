-- The rules that raise alerts. The seed's rule is there from the start; the settings of the check go on to set it.
CREATE TABLE IF NOT EXISTS core_rule (
  id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
  name varchar(100) NOT NULL,
  app_id bigint NULL,
  kind varchar(10) NOT NULL,
  level varchar(10) NULL,
  text varchar(256) NULL,
  threshold bigint NOT NULL,
  factor_hundredths int NULL,
  window_seconds int NOT NULL,
  every_seconds int NOT NULL,
  severity varchar(10) NOT NULL,
  resolve_after int NOT NULL,
  is_enabled tinyint(1) NOT NULL,
  created_at datetime(6) NOT NULL,
  updated_at datetime(6) NOT NULL,
  UNIQUE KEY core_rule_name (name),
  KEY core_rule_app_id (app_id),
  CONSTRAINT core_rule_app_id_fk FOREIGN KEY (app_id) REFERENCES core_app (id) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
INSERT IGNORE INTO core_rule (name, kind, level, threshold, window_seconds, every_seconds, severity, resolve_after,
  is_enabled, created_at, updated_at)
  VALUES ('error-logs', 'more_than', 'ERROR', 100, 600, 600, 'critical', 3, 1, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6));
-- Who is told of a rule's alerts.
CREATE TABLE IF NOT EXISTS core_rulechannel (
  rule_id bigint NOT NULL,
  channel_id bigint NOT NULL,
  PRIMARY KEY (rule_id, channel_id),
  KEY core_rulechannel_channel_id (channel_id),
  CONSTRAINT core_rulechannel_rule_id_fk FOREIGN KEY (rule_id) REFERENCES core_rule (id) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
