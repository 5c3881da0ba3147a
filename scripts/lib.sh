# Shared by the other scripts: installing what is missing, private servers, free ports.
# Source it after `set -euo pipefail`; it changes into the top folder of the project.

cd "$(dirname "${BASH_SOURCE[0]}")/.."
TOP=$PWD

say() { printf '\033[1m%s\033[0m\n' "$*" >&2; }
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
  need pkg-config pkg-config
  pkg-config --exists libmariadb 2>/dev/null || MISSING+=(libmariadb-dev)
}
need_mariadb() { need mariadbd mariadb-server-core; need mariadb mariadb-client; }
need_redis() { command -v redis-server >/dev/null || need redis-check-rdb redis-tools; need redis-cli redis-tools; }

# A TCP port that nobody listens on. Two calls at once may get the same one: ask for the ports one after the other.
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# private_mariadb DIRECTORY PORT [OPTION...]: starts one server with its data in DIRECTORY, sets MARIADB_PID and MARIADB_SOCKET.
# The OS user that starts it is its administrator, through the socket and without a password.
private_mariadb() {
  local dir=$1 port=$2 owner
  shift 2
  mkdir -p "$dir"
  dir=$(cd "$dir" && pwd)
  owner=$(id -un)
  local mariadbd
  mariadbd=$(PATH="$PATH:/usr/sbin" command -v mariadbd)
  if [ ! -d "$dir/mysql" ]; then
    mariadb-install-db --no-defaults --datadir="$dir" --user="$owner" --skip-test-db --skip-name-resolve \
      --auth-root-authentication-method=socket --auth-root-socket-user="$owner" >"$dir.install.log" 2>&1 ||
      die "mariadb-install-db failed, see $dir.install.log"
  fi
  # A relative socket stays under the length that a socket's path may have, however deep this folder is.
  setsid "$mariadbd" --no-defaults --datadir="$dir" --user="$owner" --bind-address=127.0.0.1 --port="$port" \
    --socket=mariadb.sock --pid-file="$dir/mariadb.pid" --character-set-server=utf8mb4 --skip-name-resolve \
    --log-error="$dir/mariadb.err" "$@" >/dev/null 2>&1 &
  MARIADB_PID=$!
  MARIADB_SOCKET=$dir/mariadb.sock
  for _ in $(seq 300); do
    if mariadb_root -e 'do 0' 2>/dev/null; then return 0; fi
    kill -0 "$MARIADB_PID" 2>/dev/null || break
    sleep 0.1
  done
  tail -n 5 "$dir/mariadb.err" >&2
  die "MariaDB did not start, see $dir/mariadb.err"
}
mariadb_root() { (cd "$(dirname "$MARIADB_SOCKET")" && exec mariadb --no-defaults --protocol=socket --socket=mariadb.sock --user="$(mariadb_admin)" "$@"); }
mariadb_admin() { [ "$(id -u)" = 0 ] && echo root || id -un; }

# private_redis DIRECTORY PORT [OPTION...]: starts one server with its data in DIRECTORY, sets REDIS_PID.
private_redis() {
  local dir=$1 port=$2 binary
  shift 2
  mkdir -p "$dir"
  dir=$(cd "$dir" && pwd)
  binary=$(command -v redis-server || true)
  if [ -z "$binary" ]; then
    binary=$dir/redis-server
    ln -sf "$(command -v redis-check-rdb)" "$binary"
  fi
  setsid "$binary" --port "$port" --bind 127.0.0.1 --dir "$dir" --maxmemory-policy noeviction --logfile "$dir/redis.log" \
    --daemonize no "$@" >/dev/null 2>&1 &
  REDIS_PID=$!
  for _ in $(seq 100); do
    # Before the password is known, an answer that asks for one says as well that the server is up.
    if redis-cli -h 127.0.0.1 -p "$port" ping 2>&1 | grep -qE 'PONG|NOAUTH'; then return 0; fi
    kill -0 "$REDIS_PID" 2>/dev/null || break
    sleep 0.1
  done
  die "Redis did not start, see $dir/redis.log"
}

# stop_pid PID [SECONDS]: asks the process to end, waits, and says so where it had to be killed.
stop_pid() {
  local pid=$1 left=$((${2:-30} * 10))
  kill -TERM "$pid" 2>/dev/null || return 0
  while kill -0 "$pid" 2>/dev/null; do
    left=$((left - 1))
    if [ "$left" -le 0 ]; then
      echo "process $pid did not end in time and is killed" >&2
      kill -KILL "$pid" 2>/dev/null
      return 0
    fi
    sleep 0.1
  done
}
