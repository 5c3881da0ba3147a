DROP TABLE IF EXISTS core_rulechannel;
DROP TABLE IF EXISTS core_rule;
