-- Who gets a report a day: of the apps of one owner, or of all where there is none.
CREATE TABLE IF NOT EXISTS core_subscriber (
  id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
  name varchar(100) NOT NULL,
  owner varchar(100) NULL,
  is_enabled tinyint(1) NOT NULL,
  language varchar(10) NULL,
  created_at datetime(6) NOT NULL,
  UNIQUE KEY core_subscriber_name (name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
-- Through which channels.
CREATE TABLE IF NOT EXISTS core_subscriberchannel (
  subscriber_id bigint NOT NULL,
  channel_id bigint NOT NULL,
  PRIMARY KEY (subscriber_id, channel_id),
  CONSTRAINT core_subscriberchannel_subscriber_fk FOREIGN KEY (subscriber_id) REFERENCES core_subscriber (id) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
