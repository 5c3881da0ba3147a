CREATE TABLE `core_app` (
  `id` bigint(20) NOT NULL AUTO_INCREMENT,
  `name` varchar(100) NOT NULL,
  `owner` varchar(100) NOT NULL,
  `created_at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `core_app` VALUES (1,'shop','a','2026-11-23 03:12:45.130147');
INSERT INTO `core_app` VALUES (2,'pay','b','2026-11-23 03:12:45.130147');
CREATE TABLE `core_log` (
  `id` bigint(20) NOT NULL AUTO_INCREMENT,
  `level` varchar(10) NOT NULL,
  `message` longtext NOT NULL,
  `created_at` datetime(6) NOT NULL,
  `app_id` bigint(20) NOT NULL,
  PRIMARY KEY (`id`),
  KEY `core_log_app_id_1c2e96ec_fk_core_app_id` (`app_id`),
  CONSTRAINT `core_log_app_id_1c2e96ec_fk_core_app_id` FOREIGN KEY (`app_id`) REFERENCES `core_app` (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `core_log` VALUES (1,'ERROR','m','2026-11-23 03:13:48.184956',1);
INSERT INTO `core_log` VALUES (2,'ERROR','m','2026-11-23 03:13:48.190858',1);
INSERT INTO `core_log` VALUES (3,'ERROR','m','2026-11-23 03:13:48.206168',1);
INSERT INTO `core_log` VALUES (4,'ERROR','m','2026-11-23 03:13:48.213506',1);
INSERT INTO `core_log` VALUES (5,'ERROR','m','2026-11-23 03:13:48.218671',1);
INSERT INTO `core_log` VALUES (6,'ERROR','m','2026-11-23 03:13:48.239091',1);
INSERT INTO `core_log` VALUES (7,'INFO','0','2026-11-23 03:13:48.315312',1);
INSERT INTO `core_log` VALUES (8,'INFO','0','2026-11-23 03:13:48.318029',1);
INSERT INTO `core_log` VALUES (9,'INFO','1.0','2026-11-23 03:13:48.320957',1);
INSERT INTO `core_log` VALUES (10,'INFO','1.5','2026-11-23 03:13:48.323758',1);
INSERT INTO `core_log` VALUES (11,'INFO','1000.0','2026-11-23 03:13:48.326402',1);
INSERT INTO `core_log` VALUES (12,'INFO','100000.0','2026-11-23 03:13:48.330297',1);
INSERT INTO `core_log` VALUES (13,'INFO','1e+16','2026-11-23 03:13:48.334071',1);
INSERT INTO `core_log` VALUES (14,'INFO','1e+22','2026-11-23 03:13:48.336526',1);
INSERT INTO `core_log` VALUES (15,'INFO','1e-05','2026-11-23 03:13:48.339011',1);
INSERT INTO `core_log` VALUES (16,'INFO','0.0001','2026-11-23 03:13:48.343844',1);
INSERT INTO `core_log` VALUES (17,'INFO','inf','2026-11-23 03:13:48.346139',1);
INSERT INTO `core_log` VALUES (18,'INFO','-inf','2026-11-23 03:13:48.348545',1);
INSERT INTO `core_log` VALUES (19,'INFO','123456789012345678901234567890','2026-11-23 03:13:48.351006',1);
INSERT INTO `core_log` VALUES (20,'INFO','x','2026-11-23 03:13:48.365742',1);
INSERT INTO `core_log` VALUES (21,'INFO','​','2026-11-23 03:13:48.368197',1);
INSERT INTO `core_log` VALUES (22,'INFO','﻿','2026-11-23 03:13:48.370646',1);
INSERT INTO `core_log` VALUES (23,'INFO','😀','2026-11-23 03:13:48.381016',1);
INSERT INTO `core_log` VALUES (24,'INFO','[2J‮','2026-11-23 03:13:48.386378',1);
INSERT INTO `core_log` VALUES (25,'INFO','0.1','2026-11-23 03:13:48.388712',1);
INSERT INTO `core_log` VALUES (26,'INFO','1234567.125','2026-11-23 03:13:48.391057',1);
INSERT INTO `core_log` VALUES (27,'INFO','1e+20','2026-11-23 03:13:48.393235',1);
INSERT INTO `core_log` VALUES (28,'INFO','5e-324','2026-11-23 03:13:48.395337',1);
INSERT INTO `core_log` VALUES (29,'INFO','1.7976931348623157e+308','2026-11-23 03:13:48.397543',1);
INSERT INTO `core_log` VALUES (30,'ERROR','y','2026-11-23 03:13:48.424096',2);
INSERT INTO `core_log` VALUES (31,'WARN','x','2026-11-23 03:13:48.426365',1);
INSERT INTO `core_log` VALUES (32,'WARN','x','2026-11-23 03:13:48.428693',1);
INSERT INTO `core_log` VALUES (33,'WARN','x','2026-11-23 03:13:48.436294',1);
INSERT INTO `core_log` VALUES (34,'INFO','支付','2026-11-23 03:13:48.440725',1);
INSERT INTO `core_log` VALUES (35,'INFO','支付','2026-11-23 03:13:48.443521',1);
INSERT INTO `core_log` VALUES (36,'INFO','支付','2026-11-23 03:13:48.445746',1);
INSERT INTO `core_log` VALUES (37,'INFO','支付','2026-11-23 03:13:48.448035',1);
INSERT INTO `core_log` VALUES (38,'INFO','支付','2026-11-23 03:13:48.452533',1);
INSERT INTO `core_log` VALUES (39,'INFO','支付','2026-11-23 03:13:48.455220',1);
CREATE TABLE `core_alert` (
  `id` bigint(20) NOT NULL AUTO_INCREMENT,
  `content` longtext NOT NULL,
  `is_resolved` tinyint(1) NOT NULL,
  `created_at` datetime(6) NOT NULL,
  `app_id` bigint(20) NOT NULL,
  PRIMARY KEY (`id`),
  KEY `core_alert_app_id_8fd108db_fk_core_app_id` (`app_id`),
  CONSTRAINT `core_alert_app_id_8fd108db_fk_core_app_id` FOREIGN KEY (`app_id`) REFERENCES `core_app` (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `core_alert` VALUES (1,'x',1,'2026-11-23 03:12:45.130878',1);
INSERT INTO `core_alert` VALUES (2,'y',1,'2026-11-23 03:12:45.130878',1);
INSERT INTO `core_alert` VALUES (3,'z',1,'2026-11-23 03:12:45.130878',2);
CREATE TABLE `core_logsummary` (
  `id` bigint(20) NOT NULL AUTO_INCREMENT,
  `info_count` int(11) NOT NULL,
  `warn_count` int(11) NOT NULL,
  `error_count` int(11) NOT NULL,
  `date` date NOT NULL,
  `app_id` bigint(20) NOT NULL,
  PRIMARY KEY (`id`),
  KEY `core_logsummary_app_id_93f9fac1_fk_core_app_id` (`app_id`),
  CONSTRAINT `core_logsummary_app_id_93f9fac1_fk_core_app_id` FOREIGN KEY (`app_id`) REFERENCES `core_app` (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
CREATE TABLE `django_migrations` (
  `id` bigint(20) NOT NULL AUTO_INCREMENT,
  `app` varchar(255) NOT NULL,
  `name` varchar(255) NOT NULL,
  `applied` datetime(6) NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `django_migrations` VALUES (1,'contenttypes','0001_initial','2026-11-23 03:12:44.863651');
INSERT INTO `django_migrations` VALUES (2,'contenttypes','0002_remove_content_type_name','2026-11-23 03:12:44.873340');
INSERT INTO `django_migrations` VALUES (3,'auth','0001_initial','2026-11-23 03:12:44.941626');
INSERT INTO `django_migrations` VALUES (4,'auth','0002_alter_permission_name_max_length','2026-11-23 03:12:44.950768');
INSERT INTO `django_migrations` VALUES (5,'auth','0003_alter_user_email_max_length','2026-11-23 03:12:44.957300');
INSERT INTO `django_migrations` VALUES (6,'auth','0004_alter_user_username_opts','2026-11-23 03:12:44.961331');
INSERT INTO `django_migrations` VALUES (7,'auth','0005_alter_user_last_login_null','2026-11-23 03:12:44.970621');
INSERT INTO `django_migrations` VALUES (8,'auth','0006_require_contenttypes_0002','2026-11-23 03:12:44.971281');
INSERT INTO `django_migrations` VALUES (9,'auth','0007_alter_validators_add_error_messages','2026-11-23 03:12:44.974250');
INSERT INTO `django_migrations` VALUES (10,'auth','0008_alter_user_username_max_length','2026-11-23 03:12:44.980165');
INSERT INTO `django_migrations` VALUES (11,'auth','0009_alter_user_last_name_max_length','2026-11-23 03:12:44.985847');
INSERT INTO `django_migrations` VALUES (12,'auth','0010_alter_group_name_max_length','2026-11-23 03:12:44.991327');
INSERT INTO `django_migrations` VALUES (13,'auth','0011_update_proxy_permissions','2026-11-23 03:12:44.994485');
INSERT INTO `django_migrations` VALUES (14,'auth','0012_alter_user_first_name_max_length','2026-11-23 03:12:45.000123');
INSERT INTO `django_migrations` VALUES (15,'core','0001_initial','2026-11-23 03:12:45.024612');
INSERT INTO `core_logsummary` VALUES (1,3,2,1,'2026-11-20',1),(2,3,2,1,'2026-11-20',1);
