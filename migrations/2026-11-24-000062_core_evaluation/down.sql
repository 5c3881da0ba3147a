ALTER TABLE core_rule DROP COLUMN evaluated_until;
DROP TABLE IF EXISTS core_evaluatedupto;
DROP TABLE IF EXISTS core_evaluatedhour;
DROP TABLE IF EXISTS core_evaluation;
