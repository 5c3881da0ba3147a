DROP TABLE IF EXISTS core_logdrop;
