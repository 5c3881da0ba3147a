DROP TABLE IF EXISTS core_deliveryattempt;
DROP TABLE IF EXISTS core_delivery;
DROP TABLE IF EXISTS core_notification;
