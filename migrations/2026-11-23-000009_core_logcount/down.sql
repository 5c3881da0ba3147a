DROP TABLE IF EXISTS core_logcount_waiting;
DROP TABLE IF EXISTS core_logcount;
