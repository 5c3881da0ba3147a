DROP INDEX core_app_name ON core_app;
