#!/usr/bin/env bash
# ./dev stack: the servers of a production deployment on loopback, for a person to run Saffron on.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."

state=${STACK_DIR:-$PWD/build/stack}
servers=(minio postgres kafka opensearch terminusdb)
# Of a run of ports: what each takes first. They start together, and must not take each other's.
declare -A offset=([minio]=0 [postgres]=1 [kafka]=2 [opensearch]=5 [terminusdb]=7)

usage() {
  cat <<'TEXT'
Usage: ./dev stack up|down|status|env
       ./dev stack demo [--exit] [--orders N]

MinIO, PostgreSQL, Kafka, OpenSearch and a double of TerminusDB on loopback, with their data in
build/stack (or STACK_DIR). About 1.2 GB of memory.

  up      start what does not run, wait until it is ready, print the environment
  down    stop all of them; the data stay (remove build/stack to begin anew)
  status  which run, where, and how much memory they take
  env     print the environment to export: eval "$(./dev stack env)"
  demo    the servers, every service as a process of its own and the OMS twice, the example loaded,
          verify and check; serves until Ctrl-C, with --exit ends and stops everything

A TerminusDB of your own is used instead of the double when TERMINUS_SERVER_URL (and TERMINUS_USER,
TERMINUS_ACCOUNT, TERMINUS_KEY) name it.
TEXT
}

# The double stands in for a server that no package registry has.
own_terminus() { [ -n "${TERMINUS_SERVER_URL:-}" ]; }
wanted() { [ "$1" != terminusdb ] || ! own_terminus; }

up() {
  mkdir -p "$state"
  local name pids=() port
  port=$(source testing/servers/lib.sh && free_port 10)
  for name in "${servers[@]}"; do
    wanted "$name" || continue
    testing/servers/"$name".sh up "$state/$name" $((port + offset[$name])) \
      >"$state/$name.address" 2>"$state/$name.up.log" &
    pids+=("$!:$name")
  done
  local entry failed=0
  for entry in "${pids[@]}"; do
    name=${entry#*:}
    if ! wait "${entry%%:*}"; then
      cat "$state/$name.up.log" >&2
      rm -f "$state/$name.address"
      echo "./dev stack: $name does not start" >&2
      failed=1
    fi
  done
  return $failed
}

down() {
  local name
  for name in opensearch kafka terminusdb postgres minio; do
    testing/servers/"$name".sh down "$state/$name"
    rm -f "$state/$name.address"
  done
}

address() { cat "$state/$1.address"; }

# Quoted, so that it may be evaluated.
say() { printf 'export %s=%q\n' "$1" "$2"; }

env_of_stack() {
  local name
  for name in "${servers[@]}"; do
    if wanted "$name" && [ ! -s "$state/$name.address" ]; then
      echo "./dev stack: $name does not run; ./dev stack up" >&2
      return 1
    fi
  done
  say MINIO_ENDPOINT_URL "$(address minio)"
  say MINIO_ACCESS_KEY minioadmin
  say MINIO_SECRET_KEY minioadmin123
  say POSTGRES_URL "$(address postgres)"
  say KAFKA_BOOTSTRAP_SERVERS "$(address kafka)"
  say ELASTICSEARCH_URL "$(address opensearch)"
  if own_terminus; then
    say TERMINUS_SERVER_URL "$TERMINUS_SERVER_URL"
    say TERMINUS_USER "${TERMINUS_USER:-admin}"
    say TERMINUS_ACCOUNT "${TERMINUS_ACCOUNT:-admin}"
    say TERMINUS_KEY "${TERMINUS_KEY:-root}"
  else
    say TERMINUS_SERVER_URL "$(address terminusdb)"
    say TERMINUS_KEY root
  fi
  say OMS_REQUIRE_AUTH false
}

# Resident memory of a process and its children, in MiB.
memory_of() {
  local pid=$1 child total=0
  total=$(awk '/^VmRSS:/ {print $2}' "/proc/$pid/status" 2>/dev/null || echo 0)
  for child in $(cat "/proc/$pid/task/$pid/children" 2>/dev/null); do
    total=$((total + $(awk '/^VmRSS:/ {print $2}' "/proc/$child/status" 2>/dev/null || echo 0)))
  done
  echo $((total / 1024))
}

# Where the process id of a server lies.
pid_of() {
  case $1 in
    postgres) head -n 1 "$state/postgres/pg/postmaster.pid" 2>/dev/null ;;
    *) cat "$state/$1/$1.pid" 2>/dev/null ;;
  esac
}

status() {
  local name pid stopped=0
  for name in "${servers[@]}"; do
    if ! wanted "$name"; then
      printf '%-12s %s\n' "$name" "yours, at $TERMINUS_SERVER_URL"
      continue
    fi
    pid=$(pid_of "$name" || true)
    if [ -n "$pid" ] && [ -d "/proc/$pid" ] && [ -s "$state/$name.address" ]; then
      printf '%-12s %-44s %5s MiB\n' "$name" "$(address "$name" | sed 's#//[^@/]*@#//#')" \
        "$(memory_of "$pid")"
    else
      printf '%-12s %s\n' "$name" stopped
      stopped=1
    fi
  done
  return $stopped
}

case ${1:-} in
  up) up; env_of_stack ;;
  down) down ;;
  status) status ;;
  env) env_of_stack ;;
  demo) shift; exec tools/stack_demo.py "$@" ;;
  -h | --help) usage ;;
  *) usage >&2; exit 2 ;;
esac
