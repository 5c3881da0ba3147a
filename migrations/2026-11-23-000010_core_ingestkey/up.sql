-- The Idempotency-Keys of requests that stored logs, and what they were answered: written in the same transaction.
CREATE TABLE IF NOT EXISTS core_ingestkey (
  idempotency_key varbinary(255) NOT NULL PRIMARY KEY,
  body_hash varbinary(32) NOT NULL,
  status smallint NOT NULL DEFAULT 0,
  answer longtext NOT NULL,
  created_at datetime(6) NOT NULL,
  KEY core_ingestkey_created_at (created_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
