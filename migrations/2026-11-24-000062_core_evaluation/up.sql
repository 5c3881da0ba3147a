-- The ledger: what became of each window of each rule. The row of app 0 stands for the apps that have none of their own: they
-- had no logs.
CREATE TABLE IF NOT EXISTS core_evaluation (
  rule_id bigint NOT NULL,
  window_end datetime(6) NOT NULL,
  app_id bigint NOT NULL,
  window_start datetime(6) NOT NULL,
  count bigint NOT NULL,
  threshold bigint NOT NULL,
  outcome varchar(10) NOT NULL,
  is_late tinyint(1) NOT NULL DEFAULT 0,
  evaluated_at datetime(6) NOT NULL,
  duration_us bigint NOT NULL,
  worker varchar(100) NOT NULL,
  PRIMARY KEY (rule_id, window_end, app_id),
  KEY core_evaluation_window_end (window_end)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
-- How many logs each hour had when its windows were evaluated: one that has another number since got logs that came late.
CREATE TABLE IF NOT EXISTS core_evaluatedhour (
  hour datetime(6) NOT NULL,
  app_id bigint NOT NULL,
  level varchar(10) NOT NULL,
  count bigint NOT NULL,
  PRIMARY KEY (hour, app_id, level)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
-- Up to which moment: one row.
CREATE TABLE IF NOT EXISTS core_evaluatedupto (
  id int NOT NULL PRIMARY KEY,
  moment datetime(6) NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
-- Up to which window a rule is evaluated.
SET @ddl = IF(
  EXISTS(SELECT 1 FROM information_schema.columns
         WHERE table_schema = DATABASE() AND table_name = 'core_rule' AND column_name = 'evaluated_until'),
  'DO 0',
  'ALTER TABLE core_rule ADD COLUMN evaluated_until datetime(6) NULL'
);
PREPARE ddl FROM @ddl;
EXECUTE ddl;
DEALLOCATE PREPARE ddl;
