-- How many logs of a level an app has in each minute: added to in the transaction that stores the logs.
-- The foreign key refuses the logs of an app that was removed meanwhile: core_log itself cannot have one.
CREATE TABLE IF NOT EXISTS core_logcount (
  app_id bigint NOT NULL,
  level varchar(10) NOT NULL,
  minute datetime(6) NOT NULL,
  count bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (app_id, level, minute),
  KEY core_logcount_minute (minute, level, app_id),
  CONSTRAINT core_logcount_app_id_fk FOREIGN KEY (app_id) REFERENCES core_app (id) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
-- Says that the logs which were there before are still to be counted; whoever has done so drops it.
CREATE TABLE IF NOT EXISTS core_logcount_waiting (id int NOT NULL PRIMARY KEY) ENGINE=InnoDB;
