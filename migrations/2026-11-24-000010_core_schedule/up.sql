-- The schedule's memory. An entry has one row, which beat keeps up; what it is comes from the program.
CREATE TABLE IF NOT EXISTS core_schedule (
  entry varchar(100) NOT NULL PRIMARY KEY,
  schedule varchar(200) NOT NULL,
  zone varchar(64) NOT NULL,
  handled_until datetime(6) NOT NULL,
  seen_at datetime(6) NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
-- A slot is a row: whoever inserts it is the beat that pushes its task.
CREATE TABLE IF NOT EXISTS core_scheduleslot (
  entry varchar(100) NOT NULL,
  slot datetime(6) NOT NULL,
  state varchar(10) NOT NULL,
  beat varchar(255) NOT NULL DEFAULT '',
  claimed_at datetime(6) NOT NULL,
  pushed_at datetime(6) NULL,
  PRIMARY KEY (entry, slot),
  KEY core_scheduleslot_state (state, slot)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
