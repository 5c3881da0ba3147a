DROP TABLE IF EXISTS core_loghourcount;
