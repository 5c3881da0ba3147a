-- As Django made it; a table that Django made is kept as it is.
CREATE TABLE IF NOT EXISTS core_alert (
  id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
  content longtext NOT NULL,
  is_resolved tinyint(1) NOT NULL,
  created_at datetime(6) NOT NULL,
  app_id bigint NOT NULL,
  KEY core_alert_app_id (app_id),
  CONSTRAINT core_alert_app_id_fk FOREIGN KEY (app_id) REFERENCES core_app (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
