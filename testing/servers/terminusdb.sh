#!/usr/bin/env bash
# The strict double of a TerminusDB server (a real one is in no package registry); user admin,
# key root. See lib.sh for the commands. The port after its own plans faults: terminusdb_faults.py.
source "$(dirname "$(readlink -f "$0")")/lib.sh"

DOUBLE=$(dirname "$(readlink -f "$0")")/terminusdb_double.py

install() { need python3 python3; }

up() {
  local dir=$1 port
  port=$(port_of "$dir" "$2" 2)
  if ! alive "$dir/terminusdb.pid" "$dir/data"; then
    PYTHONDONTWRITEBYTECODE=1 setsid nohup python3 "$DOUBLE" --data "$dir/data" --port "$port" \
      --control-port $((port + 1)) >>"$dir/terminusdb.log" 2>&1 </dev/null &
    echo $! >"$dir/terminusdb.pid"
  fi
  wait_ready "$dir/terminusdb.pid" "$dir/data" "$dir/terminusdb.log" 30 \
    curl -sf -m 2 -o /dev/null "http://127.0.0.1:$port/api/ok"
  echo "http://127.0.0.1:$port"
}

down() { stop "$1/terminusdb.pid" "$1/data" "$2"; }

main "$@"
