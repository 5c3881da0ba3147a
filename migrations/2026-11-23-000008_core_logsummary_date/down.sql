DROP INDEX core_logsummary_date ON core_logsummary;
