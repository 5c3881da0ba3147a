# Shared by the other scripts: installing what is missing, private servers, free ports.
# Source it after `set -euo pipefail`; it changes into the top folder of the project.
# shellcheck shell=bash

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit
# shellcheck disable=SC2034 # for what the other scripts name by its full path
TOP=$PWD

say() { if [ -t 2 ]; then printf '\033[1m%s\033[0m\n' "$*" >&2; else printf '%s\n' "$*" >&2; fi; }
die() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; exit 1; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; return; fi
  command -v sudo >/dev/null || die "needs root for: $* (no sudo here; run it yourself, then start again)"
  sudo "$@"
}

# need COMMAND-OR-FILE PACKAGE...: remembers the packages where the first is absent; `install_missing` installs them.
MISSING=()
need() {
  local what=$1
  shift
  case $what in
    /*) [ -e "$what" ] || MISSING+=("$@") ;;
    *) PATH="$PATH:/usr/sbin:/sbin" command -v "$what" >/dev/null || MISSING+=("$@") ;;
  esac
}
install_missing() {
  [ ${#MISSING[@]} -gt 0 ] || return 0
  command -v apt-get >/dev/null || die "please install: ${MISSING[*]} (only Debian's apt-get is known here)"
  say "Installing ${MISSING[*]}"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${MISSING[@]}" >/dev/null
  MISSING=()
}

# The servers come from packages that start no service of their own: `mariadb-server-core` and `redis-tools`, whose
# one binary is Redis itself when it is called redis-server.
need_build_tools() {
  command -v cargo >/dev/null || [ ! -f "$HOME/.cargo/env" ] || . "$HOME/.cargo/env"
  command -v cargo >/dev/null || die "no Rust toolchain: install one from https://rustup.rs and start again"
  need cc gcc
  need /usr/include/stdio.h libc6-dev
  need pkg-config pkg-config
  pkg-config --exists libmariadb 2>/dev/null || MISSING+=(libmariadb-dev)
}
need_mariadb() { need mariadbd mariadb-server-core; need mariadb mariadb-client; }
need_redis() { command -v redis-server >/dev/null || need redis-check-rdb redis-tools; need redis-cli redis-tools; }

port_taken() { timeout 2 bash -c ': >"/dev/tcp/$0/$1"' "$1" "$2" 2>/dev/null; }

# A TCP port that nobody listens on, below those that outgoing connections are given. Two calls at once may get the same
# one: ask for the ports one after the other.
free_port() {
  local port
  while port=$((10000 + RANDOM % 20000)); do
    port_taken 127.0.0.1 "$port" || break
  done
  echo "$port"
}

# detached COMMAND...: for what a script runs with `&`, in a session of its own: the terminal's Ctrl-C reaches only the
# script, which then stops things in order. Should the script be killed, the command gets SIGTERM.
detached() { exec setsid setpriv --pdeathsig TERM -- "$@"; }

# private_mariadb DIRECTORY PORT [OPTION...]: starts one server with its data in DIRECTORY, sets MARIADB_PID and
# MARIADB_SOCKET. The OS user that starts it is its administrator, through the socket and without a password.
private_mariadb() {
  local dir port=$2 owner mariadbd
  dir=$(realpath -m "$1")
  shift 2
  owner=$(id -un)
  mariadbd=$(PATH="$PATH:/usr/sbin" command -v mariadbd)
  if [ ! -d "$dir" ]; then
    # Under another name until it is whole, so that a start that was broken off is simply repeated. The tool takes no
    # spaces, hence the relative name.
    rm -rf "$dir.new"
    mkdir -p "$dir.new"
    (cd "$dir.new" && mariadb-install-db --no-defaults --datadir=. --user="$owner" --skip-test-db --skip-name-resolve \
      --auth-root-authentication-method=socket --auth-root-socket-user="$owner") >"$dir.install.log" 2>&1 ||
      die "mariadb-install-db failed, see $dir.install.log"
    mv "$dir.new" "$dir"
  fi
  # A relative socket stays under the length that a socket's path may have, however deep this folder is.
  detached "$mariadbd" --no-defaults --datadir="$dir" --user="$owner" --bind-address=127.0.0.1 --port="$port" \
    --socket=mariadb.sock --pid-file="$dir/mariadb.pid" --character-set-server=utf8mb4 --skip-name-resolve \
    --log-error="$dir/mariadb.err" "$@" >/dev/null 2>&1 &
  MARIADB_PID=$!
  MARIADB_SOCKET=$dir/mariadb.sock
  # After a crash it repairs its files first, which may take a while.
  for _ in $(seq 1200); do
    if mariadb_root -e 'do 0' 2>/dev/null; then return 0; fi
    kill -0 "$MARIADB_PID" 2>/dev/null || break
    sleep 0.1
  done
  tail -n 5 "$dir/mariadb.err" >&2
  die "MariaDB did not start, see $dir/mariadb.err"
}
mariadb_root() {
  (cd "$(dirname "$MARIADB_SOCKET")" &&
    exec mariadb --no-defaults --protocol=socket --socket=mariadb.sock --user="$(mariadb_admin)" "$@")
}
mariadb_admin() { [ "$(id -u)" = 0 ] && echo root || id -un; }

# private_redis DIRECTORY PORT [CONFIGURATION-FILE] [OPTION...]: starts one server with its data in DIRECTORY, sets
# REDIS_PID. A password belongs into the file: every user of the machine can read the options.
private_redis() {
  local dir port=$2 binary file=()
  dir=$(realpath -m "$1")
  shift 2
  case ${1:-} in [!-]*) file=("$1") && shift ;; esac
  mkdir -p "$dir"
  binary=$(command -v redis-server || true)
  if [ -z "$binary" ]; then
    binary=$dir/redis-server
    ln -sf "$(command -v redis-check-rdb)" "$binary"
  fi
  detached "$binary" "${file[@]}" --port "$port" --bind 127.0.0.1 --dir "$dir" --maxmemory-policy noeviction \
    --logfile "$dir/redis.log" --daemonize no "$@" >/dev/null 2>&1 &
  REDIS_PID=$!
  for _ in $(seq 100); do
    # Before the password is known, an answer that asks for one says as well that the server is up.
    if redis-cli -h 127.0.0.1 -p "$port" ping 2>&1 | grep -qE 'PONG|NOAUTH'; then return 0; fi
    kill -0 "$REDIS_PID" 2>/dev/null || break
    sleep 0.1
  done
  die "Redis did not start, see $dir/redis.log"
}

# stop_pids SECONDS PID...: asks the processes to end, all at once and each once, and waits; kills what is left after so
# many seconds. A PID below zero is a group of processes.
stop_pids() {
  local left=$(($1 * 10)) pid
  shift
  for pid in "$@"; do kill -TERM -- "$pid" 2>/dev/null || true; done
  for pid in "$@"; do
    while kill -0 -- "$pid" 2>/dev/null; do
      if [ "$left" -le 0 ]; then
        echo "process $pid did not end in time and is killed" >&2
        kill -KILL -- "$pid" 2>/dev/null || true
        break
      fi
      left=$((left - 1))
      sleep 0.1
    done
  done
}
stop_pid() { stop_pids "${2:-30}" "$1"; }
