-- The counts of core_logcount by the hour, for histograms of days and weeks: added to in the same transaction.
CREATE TABLE IF NOT EXISTS core_loghourcount (
  hour datetime(6) NOT NULL,
  app_id bigint NOT NULL,
  level varchar(10) NOT NULL,
  count bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (hour, app_id, level),
  KEY core_loghourcount_app_id (app_id),
  CONSTRAINT core_loghourcount_app_id_fk FOREIGN KEY (app_id) REFERENCES core_app (id) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
-- Emptied first, because a statement that was broken off may have been carried out.
DELETE FROM core_loghourcount;
INSERT INTO core_loghourcount (hour, app_id, level, count)
  SELECT CAST(DATE_FORMAT(minute, '%Y-%m-%d %H:00:00') AS DATETIME) AS hour, app_id, level, SUM(count)
  FROM core_logcount GROUP BY hour, app_id, level;
