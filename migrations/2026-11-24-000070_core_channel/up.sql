-- Where people are told. `config` holds no secrets: where there are any, the whole of it is in `sealed` too.
CREATE TABLE IF NOT EXISTS core_channel (
  id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
  kind varchar(20) NOT NULL,
  name varchar(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  config longtext NOT NULL,
  sealed blob NULL,
  is_enabled tinyint(1) NOT NULL DEFAULT 1,
  rate_limit int NULL,
  quiet_hours varchar(50) NULL,
  template mediumtext NULL,
  created_at datetime(6) NOT NULL,
  claimed_by varchar(36) NULL,
  claimed_until datetime(6) NULL,
  UNIQUE KEY core_channel_name (name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
