ALTER TABLE core_loghourcount DROP PRIMARY KEY, ADD PRIMARY KEY (hour, app_id, level);
