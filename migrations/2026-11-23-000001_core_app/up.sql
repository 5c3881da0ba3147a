-- As Django made it; a table that Django made is kept as it is.
CREATE TABLE IF NOT EXISTS core_app (
  id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
  name varchar(100) NOT NULL,
  owner varchar(100) NOT NULL,
  created_at datetime(6) NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
