# What it takes to find logs among many. Sourced by scripts/bench.
# shellcheck shell=bash disable=SC2154 # scripts/bench sets them

logs=10000000
serve_only=
seconds=5
only=

# Takes the options, and finds where the data is.
prepare() {
  local keep='' age cache=${XDG_CACHE_HOME:-$HOME/.cache}/logmon/bench
  while [ $# -gt 0 ]; do
    case $1 in
      --keep) keep=1 ;;
      --only=*) only=${1#*=} ;;
      --seconds=*) seconds=${1#*=} ;;
      --serve) serve_only=1 ;;
      [1-9]*) logs=$1 ;;
      *) die "no such option: $1" ;;
    esac
    shift
  done
  [ -n "$keep" ] || return 0
  data=$cache/query-$logs
  mkdir -p "$data"
  exec 9>"$data.lock"
  flock -n 9 || die "another run is using $data"
  # What another program made, or days that are no longer the last ones, is made anew.
  age=$(cat crates/store/examples/fill_logs/*.rs | cksum)
  if [ "$(cat "$data/made-by" 2>/dev/null)" != "$age" ] || [ -n "$(find "$data/filled" -mtime +6 2>/dev/null)" ]; then
    rm -rf "$data"
    mkdir -p "$data"
    echo "$age" >"$data/made-by"
  elif [ ! -f "$data/filled" ]; then
    # A filling that was broken off.
    rm -rf "$data/mariadb"
  fi
}

measure() {
  if [ -f "$data/filled" ]; then
    say "Found the $logs logs in $data"
    remove_later_logs
  else
    say "Filling up to $logs logs"
    local began=$SECONDS
    target/release/examples/fill_logs "$DATABASE_URL" "$logs" >"$data/filled.new" || die "the filling failed"
    say "Filled in $((SECONDS - began)) s, proving the counts"
    target/release/logmon-api verify || die "the counts are not the rows"
    mariadb_root logmon -e "ANALYZE TABLE core_log PERSISTENT FOR COLUMNS () INDEXES (); ANALYZE TABLE core_logcount, core_loghourcount" >/dev/null
    mv "$data/filled.new" "$data/filled"
  fi
  # What the slow log says of a call, when it has an output for one. The rest is a session's own from its beginning.
  mariadb_root -e "SET GLOBAL long_query_time = 0, log_slow_filter = '', log_slow_verbosity = 'query_plan,explain', log_output = 'NONE',
    slow_query_log = ON"
  # The sockets of a thousand tails, at either end.
  ulimit -Sn 16384 2>/dev/null || true
  api=127.0.0.1:$(free_port)
  serve logmon "$api" env "LISTEN=$api" target/release/logmon-api serve
  if [ -n "$serve_only" ]; then
    say "http://$api/api/  $DATABASE_URL  $REDIS_URL"
    say "What there is to find: $(cat "$data/filled")"
    say "Until Ctrl-C"
    while sleep 1; do :; done
  fi
  [ "$data" = "$work" ] || cp "$data/filled" "$work/filled"
  PYTHONDONTWRITEBYTECODE=1 python3 scripts/bench.d/query_load.py "$api" "$work/filled" "$seconds" "$only" | tee "$work/measured" >&2
  grep -qE -- "$only" <<<$'export\ntail' || return 0
  PYTHONDONTWRITEBYTECODE=1 python3 scripts/bench.d/query_streams.py "$api" "$(cat "$work/logmon.pid")" "$MARIADB_PID" "$logs" |
    tee -a "$work/measured" >&2
}

# The logs that came in while an earlier run measured: they are newer than those of the filling.
remove_later_logs() {
  local end partitions
  end=$(python3 -c 'import json, sys; print(json.load(sys.stdin)["end"][:10])' <"$data/filled")
  partitions=$(mariadb_root logmon -BNe "SELECT GROUP_CONCAT(partition_name) FROM information_schema.partitions
    WHERE table_schema = 'logmon' AND table_name = 'core_log' AND (partition_name = 'p_future' OR partition_name >= 'p${end//-/}')")
  mariadb_root logmon -e "ALTER TABLE core_log TRUNCATE PARTITION $partitions; DELETE FROM core_logcount WHERE minute >= '$end';
    DELETE FROM core_loghourcount WHERE hour >= '$end'; TRUNCATE TABLE core_logevent; TRUNCATE TABLE core_ingestkey"
}

table() {
  echo "$logs logs"
  cat "$work/measured"
  echo "memory of LogMon's API: at most $(memory logmon VmHWM)"
  echo
  echo "What scans, as the database did it:"
  cat "$work/plans"
}
