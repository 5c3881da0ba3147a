DROP TABLE IF EXISTS core_logsummary;
