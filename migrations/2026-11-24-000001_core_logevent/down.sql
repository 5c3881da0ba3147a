DROP TABLE IF EXISTS core_logevent;
