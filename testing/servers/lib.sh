# What the scripts of the servers share; sourced, not run. Each is used as
#
#   NAME.sh install         fetches the server into the cache, once
#   NAME.sh up DIR [PORT]   starts one on loopback with its data in DIR, waits until it is ready,
#                           prints its address; a live one of DIR is left alone, a dead one starts
#                           again on its data and port
#   NAME.sh down DIR [-9]   stops it, as a crash with -9; the data stay
#
# and stops processes by the id it wrote, after a look that the id is still that server's.
# SAFFRON_SERVERS_CACHE (default ~/.cache/saffron-servers) keeps what is fetched.
set -euo pipefail

CACHE=${SAFFRON_SERVERS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/saffron-servers}

fail() { printf '%s: %s\n' "$(basename "$0")" "$1" >&2; exit "${2:-1}"; }
# need COMMAND PACKAGE
need() { command -v "$1" >/dev/null || fail "'$1' is missing: apt-get install -y $2" 3; }

listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# free_port [N]: a port, or N that follow each other, that nobody listens on.
free_port() {
  python3 - "${1:-1}" <<'P'
import random, socket, sys
while True:
    first = random.randint(20000, 32000)
    held = []
    try:
        for port in range(first, first + int(sys.argv[1])):
            held.append(socket.socket())
            held[-1].bind(("127.0.0.1", port))
    except OSError:
        continue
    print(first)
    break
P
}

# port_of DIR [PORT] [N]: what DIR was started with, else PORT, else a free one; remembered.
port_of() {
  if [ ! -s "$1/port" ]; then
    if [ -n "${2:-}" ]; then echo "$2"; else free_port "${3:-1}"; fi >"$1/port"
  fi
  cat "$1/port"
}

# alive PIDFILE WORD: the process is there, and WORD is an argument of it (ids are used again).
alive() {
  local pid
  pid=$(cat "$1" 2>/dev/null) && [ -n "$pid" ] &&
    tr '\0' '\n' <"/proc/$pid/cmdline" 2>/dev/null | grep -qxF -e "$2"
}

# stop PIDFILE WORD [-9]: ends it and waits for its end.
stop() {
  if alive "$1" "$2"; then
    kill ${3:-} "$(cat "$1")" || true
    for i in $(seq 1 200); do
      alive "$1" "$2" || break
      [ "$i" -ne 150 ] || kill -9 "$(cat "$1")" || true
      sleep 0.1
    done
  fi
  rm -f "$1"
}

# wait_ready PIDFILE WORD LOG SECONDS COMMAND...: until COMMAND succeeds; the log's end if not.
wait_ready() {
  local pid_file=$1 word=$2 log=$3 seconds=$4
  shift 4
  for _ in $(seq 1 $((seconds * 10))); do
    if "$@"; then return; fi
    if ! alive "$pid_file" "$word"; then
      sleep 0.2
      if ! alive "$pid_file" "$word"; then
        tail -n 20 "$log" >&2
        rm -f "$pid_file"
        fail "the server ended; its log is $log" 6
      fi
    fi
    sleep 0.1
  done
  fail "not ready after $seconds s; its log is $log" 7
}

# main COMMAND ARGUMENTS...: calls install, up and down of the script that sourced this.
main() {
  case "${1:-}" in
    install) mkdir -p "$CACHE"; install ;;
    up) [ $# -ge 2 ] || fail "usage: $0 up DIR [PORT]" 2
      mkdir -p "$2" "$CACHE"
      install
      up "$(cd "$2" && pwd)" "${3:-}" ;;
    down) [ $# -ge 2 ] || fail "usage: $0 down DIR [-9]" 2
      if [ -d "$2" ]; then down "$(cd "$2" && pwd)" "${3:-}"; fi ;;
    *) fail "usage: $0 install | up DIR [PORT] | down DIR [-9]" 2 ;;
  esac
}
