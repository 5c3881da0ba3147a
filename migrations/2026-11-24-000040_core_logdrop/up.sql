-- Days of logs that are being dropped: noted before the partition goes, forgotten when its counts and event ids are gone too.
CREATE TABLE IF NOT EXISTS core_logdrop (
  until date NOT NULL PRIMARY KEY
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
