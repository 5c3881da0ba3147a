# What the evaluation of 1,000 rules costs with 10,000,000 logs of 200 apps stored. Sourced by scripts/bench.
# shellcheck shell=bash disable=SC2034,SC2154 # scripts/bench and counts.sh set them, and read them

# shellcheck source=scripts/bench.d/counts.sh
. scripts/bench.d/counts.sh
apps=200
size=${1:-10000000}
scopes=(one-app each-app)

measure() {
  local app scope
  for app in $(seq "$apps"); do target/release/logmon-api app create "app-$app" --owner bench >/dev/null; done
  run_as worker target/release/logmon-worker --log-format json --concurrency 1
  say "Filling up to $size logs"
  fill 1 "$size"
  settle
  target/release/logmon-api verify >/dev/null || die "the counts are not the rows"
  for scope in "${scopes[@]}"; do
    rules "$scope"
    for _ in $(seq 12); do
      # One window of each rule is due.
      mariadb_root logmon -e "UPDATE core_rule SET evaluated_until = FROM_UNIXTIME(UNIX_TIMESTAMP(UTC_TIMESTAMP()) DIV 600 * 600 - 600);
        DELETE FROM core_evaluation"
      run evaluate_rules "$scope"
      mariadb_root logmon -BNe "SELECT COUNT(*) FROM core_evaluation" >"$work/$scope.rows"
    done
    # The first one reads what the filling has pushed out of memory.
    sed -i 1d "$work/evaluate_rules.$scope"
  done
}

# rules SCOPE: 1,000 rules of 10 minutes that are calm, each for one of the apps or for all of them.
rules() {
  local app='NULL'
  [ "$1" = each-app ] || app='1 + seq % 200'
  mariadb_root logmon -e "DELETE FROM core_rule;
    INSERT INTO core_rule (name, app_id, kind, level, threshold, window_seconds, every_seconds, severity, resolve_after,
      is_enabled, created_at, updated_at)
    SELECT CONCAT('rule-', seq), $app, 'more_than', ELT(1 + seq % 3, 'ERROR', 'WARN', 'INFO'), 1000000, 600, 600, 'info', 3, 1,
      UTC_TIMESTAMP(6) - INTERVAL 1 DAY, UTC_TIMESTAMP(6) - INTERVAL 1 DAY FROM seq_1_to_1000"
}

table() {
  local scope
  printf '%-40s %12s %10s\n' "1,000 rules, $size logs, median of 11" "ledger rows" "ms"
  for scope in "${scopes[@]}"; do
    printf '%-40s %12s %10.2f\n' "each for ${scope/-/ }" "$(cat "$work/$scope.rows")" "$(median "evaluate_rules.$scope" 1)"
  done
}
