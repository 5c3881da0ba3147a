DROP TABLE IF EXISTS core_ingestkey;
