-- The event ids of records, and the logs that were stored for them: written in the same transaction, removed with the log.
CREATE TABLE IF NOT EXISTS core_logevent (
  app_id bigint NOT NULL,
  event_id varbinary(1020) NOT NULL,
  log_id bigint NOT NULL,
  created_at datetime(6) NOT NULL,
  PRIMARY KEY (app_id, event_id),
  KEY core_logevent_created_at (created_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
