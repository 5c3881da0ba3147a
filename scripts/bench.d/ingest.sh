# Single logs and batches a second. Sourced by scripts/bench.
# shellcheck shell=bash disable=SC2154 # scripts/bench sets them

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
  target/release/logmon-api verify
  echo "$(mariadb_root logmon -BNe 'SELECT COUNT(*) FROM core_log') logs stored"
}
