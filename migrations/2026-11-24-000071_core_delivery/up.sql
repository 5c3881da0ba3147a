-- The outbox: what happened, written in the transaction in which it happened; whom it is told; and each attempt to.
CREATE TABLE IF NOT EXISTS core_notification (
  event_id char(36) NOT NULL PRIMARY KEY,
  event varchar(30) NOT NULL,
  alert_id bigint NULL,
  payload longtext NOT NULL,
  created_at datetime(6) NOT NULL,
  KEY core_notification_alert (alert_id),
  KEY core_notification_created_at (created_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
CREATE TABLE IF NOT EXISTS core_delivery (
  id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
  event_id char(36) NOT NULL,
  channel_id bigint NOT NULL,
  state varchar(10) NOT NULL DEFAULT 'waiting',
  attempts int NOT NULL DEFAULT 0,
  next_at datetime(6) NOT NULL,
  digest_id bigint NULL,
  created_at datetime(6) NOT NULL,
  finished_at datetime(6) NULL,
  UNIQUE KEY core_delivery_event_channel (event_id, channel_id),
  KEY core_delivery_state_next (state, next_at),
  KEY core_delivery_channel_state (channel_id, state, next_at),
  KEY core_delivery_digest (digest_id),
  CONSTRAINT core_delivery_event_fk FOREIGN KEY (event_id) REFERENCES core_notification (event_id) ON DELETE CASCADE,
  CONSTRAINT core_delivery_channel_fk FOREIGN KEY (channel_id) REFERENCES core_channel (id) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
CREATE TABLE IF NOT EXISTS core_deliveryattempt (
  id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
  delivery_id bigint NOT NULL,
  channel_id bigint NOT NULL,
  created_at datetime(6) NOT NULL,
  outcome varchar(10) NOT NULL,
  status smallint NULL,
  duration_ms int NOT NULL,
  answer text NOT NULL,
  KEY core_deliveryattempt_delivery (delivery_id),
  KEY core_deliveryattempt_channel_time (channel_id, created_at),
  CONSTRAINT core_deliveryattempt_delivery_fk FOREIGN KEY (delivery_id) REFERENCES core_delivery (id) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
