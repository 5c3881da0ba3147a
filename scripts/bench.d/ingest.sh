# Single logs and batches a second. Sourced by scripts/bench.
# shellcheck shell=bash disable=SC2154 # scripts/bench sets them

# What wrk got answers for, and what it may have left unanswered when its time was over.
answered=0 unanswered=0
django=$(realpath -m "$TOP/../shared/peers/django")
log='{"app":1,"level":"ERROR","message":"payment gateway timed out after 3000 ms while charging order 9f1c2d77-5a0e-4d1c-9a53-1f2f0a6b1c11 (attempt 2 of 3)"}'

measure() {
  seconds=${1:-10}
  target/release/logmon-api app create shop --owner bench >/dev/null
  local logmon noop original
  logmon=127.0.0.1:$(free_port)
  serve logmon "$logmon" env "LISTEN=$logmon" target/release/logmon-api serve
  idle=$(memory logmon VmRSS)
  noop=127.0.0.1:$(free_port)
  serve noop "$noop" target/release/examples/noop_server "$noop"
  [ ! -d "$django" ] || serve_original
  bodies
  for round in 1 2 3; do
    say "Round $round of 3"
    load noop one "$noop" 64 1
    load logmon one "$logmon" 64 1
    [ ! -d "$django" ] || load original one "$original" 64 1
    echo "$(target/release/examples/insert_limit "$DATABASE_URL" 2 "$seconds") 0 0" >>"$work/database.insert"
    load logmon batch "$logmon" 8 500
  done
  prove "$logmon" >"$work/proof" 2>&1 || touch "$work/failed"
}

# prove ADDRESS: that every log is in the table which was answered for, or which the API says it stored, and is counted;
# and that this would have been seen.
prove() {
  local written status=0
  written=$(written_by "$1")
  all_stored "$written" || status=1
  target/release/logmon-api verify || status=1
  [ "$status" = 0 ] || return 1
  mariadb_root logmon -e 'DELETE FROM core_log LIMIT 1'
  if all_stored "$written" >/dev/null; then
    echo "WRONG: the numbers agree although a log was taken away"
    status=1
  fi
  if target/release/logmon-api verify >/dev/null; then
    echo "WRONG: verify finds nothing although a log was taken away"
    status=1
  fi
  [ "$status" = 1 ] || echo "with one log taken away both were seen to fail"
  return "$status"
}

# written_by ADDRESS: how many logs the API has written, once it writes no more: what wrk left unanswered may still come.
written_by() {
  local before='' now=''
  for _ in $(seq 60); do
    now=$(curl -fsS --noproxy '*' "http://$1/metrics" | awk '$1 == "logmon_ingest_group_records_total" { print $2 }')
    [ -z "$now" ] || [ "$now" != "$before" ] || break
    before=$now
    sleep 0.5
  done
  echo "$now"
}

# all_stored WRITTEN: whether the rows are so many, and those that were answered for.
all_stored() {
  local rows
  rows=$(mariadb_root logmon -BNe 'SELECT COUNT(*) FROM core_log')
  echo "$answered logs were answered for, at most $unanswered more were on their way when wrk stopped;" \
    "the API wrote $1; the table has $rows"
  if [ "$rows" -lt "$answered" ] || [ "$rows" -gt $((answered + unanswered)) ] || [ "$rows" != "$1" ]; then
    echo "WRONG: the table does not have the logs that were answered for"
    return 1
  fi
}

serve_original() {
  say "Installing the original"
  python_with -r "$django/requirements.txt"
  export PYTHONDONTWRITEBYTECODE=1 DB_PORT=$mariadb_port DB_NAME=original DB_USER=bench DB_PASSWORD=bench PYTHONPATH=$django
  "$work/venv/bin/python" "$django/manage.py" migrate >/dev/null
  mariadb_root original -e "INSERT INTO core_app VALUES (1, 'shop', 'bench', NOW(6))"
  original=127.0.0.1:$(free_port)
  serve original "$original" "$work/venv/bin/gunicorn" -w 5 -b "$original" log_monitor_system.wsgi
}

bodies() {
  cat >"$work/one.lua" <<LUA
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '$log'
LUA
  cat >"$work/batch.lua" <<LUA
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/x-ndjson"
wrk.body = string.rep('$log\n', 500)
LUA
}

# load NAME KIND ADDRESS CONNECTIONS LOGS-A-REQUEST: appends "logs/s p50 p99" in ms to $work/NAME.KIND
load() {
  wrk -t2 -c"$4" -d"${seconds}s" --latency -s "$work/$2.lua" "http://$3/api/logs/" >"$work/wrk.out"
  grep -q 'Non-2xx' "$work/wrk.out" && die "$1 answered with errors: $(grep 'Non-2xx' "$work/wrk.out")"
  if [ "$1" = logmon ]; then
    answered=$((answered + $5 * $(awk '$2 == "requests" && $3 == "in" { print $1 }' "$work/wrk.out")))
    unanswered=$((unanswered + $5 * $4))
  fi
  awk -v logs="$5" '
    function ms(t) { return t ~ /us$/ ? t / 1000 : t ~ /ms$/ ? t + 0 : t * 1000 }
    $1 == "50%" { p50 = ms($2) } $1 == "99%" { p99 = ms($2) } $1 == "Requests/sec:" { rate = $2 * logs }
    END { printf "%.0f %.2f %.2f\n", rate, p50, p99 }' "$work/wrk.out" >>"$work/$1.$2"
}

# row LABEL FILE [REFERENCE-FILE]
row() {
  printf '%-44s %10s %8s %8s' "$1" "$(median "$2" 1)" "$(median "$2" 2)" "$(median "$2" 3)"
  [ -z "${3:-}" ] || printf '  %s' "$(ratio "$(median "$2" 1)" "$(median "$3" 1)")"
  echo
}

table() {
  printf '%-44s %10s %8s %8s  %s\n' "median of three, $seconds s each" "logs/s" "p50 ms" "p99 ms" "ratio"
  row "no-op server, single" noop.one
  row "LogMon, single (to the no-op server)" logmon.one noop.one
  if [ -d "$django" ]; then
    row "the original, single" original.one
    row "LogMon, single (to the original)" logmon.one original.one
  fi
  row "the database's INSERT, two connections" database.insert
  row "LogMon, batches of 500 (to the INSERT)" logmon.batch database.insert
  echo
  echo "memory of LogMon's API: idle $idle, at most $(memory logmon VmHWM)"
  printf 'of the others at most: MariaDB %s, Redis %s, the no-op server %s' \
    "$(memory mariadb VmHWM)" "$(memory redis VmHWM)" "$(memory noop VmHWM)"
  [ ! -d "$django" ] || printf ', the original %s' "$(memory original VmHWM)"
  echo
  cat "$work/proof"
}
