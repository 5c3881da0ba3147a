DROP TABLE IF EXISTS core_channel;
