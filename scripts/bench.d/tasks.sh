# Empty tasks a second, with results. Sourced by scripts/bench.
# shellcheck shell=bash disable=SC2154 # scripts/bench sets them

# So many that each runs for some seconds.
logmon_tasks=200000
celery_tasks=10000

measure() {
  say "Installing Celery"
  python_with "celery[redis]==5.7.0"
  for round in 1 2 3; do
    say "Round $round of 3"
    fill "$celery_tasks"
    work_as celery
    until_empty celery "$celery_tasks"
    fill "$logmon_tasks"
    work_as logmon
    until_empty logmon "$logmon_tasks"
    fill "$logmon_tasks"
    target/release/examples/queue_limit "$REDIS_URL" celery >>"$work/limit.rate"
  done
  # In a run of their own, for they take time from the tasks.
  say "Asking the workers while they work"
  fill "$celery_tasks"
  work_as celery
  ask celery
  fill "$logmon_tasks"
  work_as logmon
  ask logmon
}

# work_as celery|logmon: starts a worker that runs two tasks at a time.
work_as() {
  case $1 in
    celery) run_as celery env PYTHONPATH=scripts/bench.d "$work/venv/bin/celery" -A celery_app worker --concurrency 2 --loglevel warning ;;
    logmon) run_as logmon target/release/logmon-worker --concurrency 2 --loglevel warning ;;
  esac
}

# ask NAME: writes the milliseconds that each answer to `inspect ping` took to $work/NAME.pings, until the queue is empty.
ask() {
  (cd scripts/bench.d && PYTHONDONTWRITEBYTECODE=1 timeout 120 "$work/venv/bin/python" ping_times.py) >"$work/$1.pings" || die "$1 did not answer"
  # A Celery worker is slow to leave a queue that is full.
  redis-cli -p "$redis_port" del celery >/dev/null
  end "$1"
}

# percentile FILE PERCENT
percentile() { sort -n "$work/$1" | awk -v percent="$2" '{ value[NR] = $1 } END { print value[int((NR - 1) * percent / 100) + 1] }'; }

fill() {
  redis-cli -p "$redis_port" flushall >/dev/null
  (cd scripts/bench.d && PYTHONDONTWRITEBYTECODE=1 "$work/venv/bin/python" celery_app.py "$1")
}

# until_empty NAME COUNT: appends the tasks a second to $work/NAME.rate, from the first task that is taken, so that the
# start of the process does not count, to the last result; then ends the process.
until_empty() {
  "$work/venv/bin/python" - "$REDIS_URL" "$2" >>"$work/$1.rate" <<'PYTHON' || die "$1 did not end its tasks"
import sys, time
import redis

connection, count = redis.Redis.from_url(sys.argv[1]), int(sys.argv[2])
deadline = time.monotonic() + 300
start = None
while time.monotonic() < deadline:
    waiting, flying = connection.pipeline().llen("celery").hlen("unacked").execute()
    if start is None and waiting < count:
        start, begun = time.monotonic(), waiting
    if waiting == 0 and flying == 0:
        break
    time.sleep(0.002)
else:
    sys.exit(1)
took = time.monotonic() - start
# Celery acknowledges a task before it is run.
while (results := sum(1 for _ in connection.scan_iter("celery-task-meta-*", count=10000))) != count:
    if time.monotonic() > deadline:
        sys.exit(f"{results} results of {count} tasks")
    took = time.monotonic() - start
print(round(begun / took))
PYTHON
  memory "$1" VmHWM >"$work/$1.memory"
  end "$1"
}

table() {
  local celery logmon limit name
  celery=$(median celery.rate 1) logmon=$(median logmon.rate 1) limit=$(median limit.rate 1)
  printf '%-44s %10s %9s  %s\n' "median of three" "tasks/s" "memory" "ratio"
  printf '%-44s %10s\n' "Celery, two processes" "$celery"
  printf '%-44s %10s %9s  %s\n' "LogMon, --concurrency 2 (to Celery)" "$logmon" "$(cat "$work/logmon.memory")" "$(ratio "$logmon" "$celery")"
  printf '%-44s %10s %9s  %s\n' "the scripts alone, in turn (LogMon to them)" "$limit" "" "$(ratio "$logmon" "$limit")"
  printf '\n%-44s %10s %9s  %s\n' "inspect ping from Python meanwhile, ms" "p50" "p99" "answers"
  for name in celery logmon; do
    printf '%-44s %10s %9s  %s\n' "$name" "$(percentile "$name.pings" 50)" "$(percentile "$name.pings" 99)" "$(wc -l <"$work/$name.pings")"
  done
  echo "$logmon_tasks tasks of LogMon and $celery_tasks of Celery each time; queue and in-flight empty, a result each"
}
