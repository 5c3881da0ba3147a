DROP TABLE IF EXISTS core_report;
