DROP TABLE IF EXISTS core_subscriberchannel;
DROP TABLE IF EXISTS core_subscriber;
