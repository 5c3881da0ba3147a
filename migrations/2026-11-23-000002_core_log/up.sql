-- As Django made it, but without the foreign key: a table that is to be partitioned cannot have one.
CREATE TABLE IF NOT EXISTS core_log (
  id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
  level varchar(10) NOT NULL,
  message longtext NOT NULL,
  created_at datetime(6) NOT NULL,
  app_id bigint NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
