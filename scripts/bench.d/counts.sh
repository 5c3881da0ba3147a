# What the check and the daily summary cost as logs become more. Sourced by scripts/bench.
# shellcheck shell=bash disable=SC2154 # scripts/bench sets them

apps=20
sizes=(250000 2000000 10000000)
tasks=(check_error_logs generate_daily_summary)

measure() {
  [ $# = 0 ] || sizes=("$@")
  local app size task stored=0
  for app in $(seq "$apps"); do target/release/logmon-api app create "app-$app" --owner bench >/dev/null; done
  run_as worker target/release/logmon-worker --log-format json --concurrency 1
  for size in "${sizes[@]}"; do
    say "Filling up to $size logs"
    fill $((stored + 1)) "$size"
    stored=$size
    settle
    target/release/logmon-api verify >/dev/null || die "the counts are not the rows"
    for task in "${tasks[@]}"; do
      for _ in $(seq 12); do run "$task" "$size"; done
      # The first one reads what the filling has pushed out of memory.
      sed -i 1d "$work/$task.$size"
      mariadb_root logmon -BNe "SELECT COUNT(*) FROM $(read_by "$task")" >"$work/$task.$size.counts"
    done
  done
}

# fill FIRST LAST: logs of all apps, the first ones with many and the last ones with few, over the past 30 days, a tenth
# of them errors, in a transaction a day with their counts.
fill() {
  local day sql="SELECT 1 + FLOOR($apps * POW(RAND(seq), 2)) AS app,
    ELT(1 + (seq % 10 = 0) + (seq % 10 < 3), 'INFO', 'WARN', 'ERROR') AS level,
    CONCAT('payment gateway timed out while charging order ', MD5(seq), ' (attempt 2 of 3)') AS message"
  for day in $(seq 0 29); do
    mariadb_root logmon <<SQL
SET @start = UTC_DATE() - INTERVAL $day DAY;
SET @length = IF($day = 0, TIMESTAMPDIFF(SECOND, @start, UTC_TIMESTAMP()), 86400);
BEGIN;
CREATE TEMPORARY TABLE filled ENGINE=InnoDB AS
  $sql, @start + INTERVAL FLOOR(RAND() * @length * 1000000) MICROSECOND AS created_at
  FROM seq_$1_to_$2 WHERE seq % 30 = $day;
INSERT INTO core_log (app_id, level, message, created_at) SELECT app, level, message, created_at FROM filled ORDER BY created_at;
INSERT INTO core_logcount (app_id, level, minute, count)
  SELECT app, level, DATE_FORMAT(created_at, '%Y-%m-%d %H:%i:00') AS at, COUNT(*) FROM filled GROUP BY app, level, at
  ON DUPLICATE KEY UPDATE count = count + VALUES(count);
INSERT INTO core_loghourcount (app_id, level, hour, count)
  SELECT app, level, DATE_FORMAT(created_at, '%Y-%m-%d %H:00:00') AS at, COUNT(*) FROM filled GROUP BY app, level, at
  ON DUPLICATE KEY UPDATE count = count + VALUES(count);
COMMIT;
DROP TEMPORARY TABLE filled;
SQL
  done
}

# Waits until the database has written what the filling left in its memory: that would be measured, too.
settle() {
  local dirty
  # As fast as the disk can: by default it takes its time, for the sake of others.
  mariadb_root -e "SET GLOBAL innodb_io_capacity_max = 20000, GLOBAL innodb_io_capacity = 20000, GLOBAL innodb_max_dirty_pages_pct = 0"
  for _ in $(seq 600); do
    dirty=$(mariadb_root -BNe "SHOW GLOBAL STATUS LIKE 'Innodb_buffer_pool_pages_dirty'" | cut -f2)
    [ "$dirty" -gt 100 ] || break
    sleep 0.5
  done
  mariadb_root -e "SET GLOBAL innodb_io_capacity = 200, GLOBAL innodb_io_capacity_max = 2000, GLOBAL innodb_max_dirty_pages_pct = DEFAULT"
}

# read_by TASK: which counts the task reads. Their number is what it costs by, and the apps' minutes or hours are its bound.
read_by() {
  case $1 in
    check_error_logs) echo "core_logcount WHERE level = 'ERROR' AND minute >= UTC_TIMESTAMP() - INTERVAL 10 MINUTE" ;;
    *) echo "core_loghourcount WHERE hour >= UTC_DATE() - INTERVAL 1 DAY AND hour < UTC_DATE()" ;;
  esac
}

# run TASK SIZE: appends the task's own time in ms to $work/TASK.SIZE
run() {
  local answer id
  answer=$(target/release/logmon-api call "log_monitor_system.apps.core.tasks.$1" --wait 600) || die "$1 failed: $answer"
  id=$(sed -n 's/.*"task_id": *"\([^"]*\)".*/\1/p' <<<"$answer" | tail -n 1)
  for _ in $(seq 100); do
    if grep -F "$id" "$work/worker.log" | grep -o '"duration_ms":[0-9.]*' | cut -d: -f2 >"$work/duration" &&
      [ -s "$work/duration" ]; then
      cat "$work/duration" >>"$work/$1.$2"
      return
    fi
    sleep 0.05
  done
  die "the worker says nothing of $1 $id"
}

table() {
  printf '%-28s %12s %10s %10s  %-16s %s\n' "median of eleven" "logs" "counts" "ms" "to ${sizes[0]} logs" "to the row before"
  local size task before
  for task in "${tasks[@]}"; do
    before=${sizes[0]}
    for size in "${sizes[@]}"; do
      printf '%-28s %12s %10s %10.2f  %-16s %s\n' "$task" "$size" "$(cat "$work/$task.$size.counts")" "$(median "$task.$size" 1)" \
        "$(ratio "$(median "$task.$size" 1)" "$(median "$task.${sizes[0]}" 1)")" \
        "$(ratio "$(median "$task.$size" 1)" "$(median "$task.$before" 1)")"
      before=$size
    done
  done
  echo "counts: how many the task reads: the check those of the errors in the last minutes, the summary those of the day's hours"
  echo "wanted: at most 1.5 to the row before"
}
