DROP TABLE IF EXISTS core_logcount;
