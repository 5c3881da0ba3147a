DROP TABLE IF EXISTS core_scheduleslot;
DROP TABLE IF EXISTS core_schedule;
