-- What a subscriber was told of a day. `summary_ids` is the sum of the ids of the summaries that it was made from: another sum
-- means that one of them was replaced.
CREATE TABLE IF NOT EXISTS core_report (
  id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
  date date NOT NULL,
  subscriber_id bigint NOT NULL,
  revision int NOT NULL,
  event_id char(36) NOT NULL,
  summary_ids bigint NOT NULL,
  content longtext NOT NULL,
  created_at datetime(6) NOT NULL,
  UNIQUE KEY core_report_date_subscriber_revision (date, subscriber_id, revision),
  KEY core_report_subscriber (subscriber_id),
  CONSTRAINT core_report_subscriber_fk FOREIGN KEY (subscriber_id) REFERENCES core_subscriber (id) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
