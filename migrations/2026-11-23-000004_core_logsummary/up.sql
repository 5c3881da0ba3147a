-- As Django made it; a table that Django made is kept as it is.
CREATE TABLE IF NOT EXISTS core_logsummary (
  id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
  info_count int NOT NULL,
  warn_count int NOT NULL,
  error_count int NOT NULL,
  date date NOT NULL,
  app_id bigint NOT NULL,
  KEY core_logsummary_app_id (app_id),
  CONSTRAINT core_logsummary_app_id_fk FOREIGN KEY (app_id) REFERENCES core_app (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
