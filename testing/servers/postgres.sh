#!/usr/bin/env bash
# A real PostgreSQL 15 (Debian's package) with durable defaults; user, password and database
# saffron. See lib.sh for the commands. It refuses root, and then runs as its package's user.
source "$(dirname "$(readlink -f "$0")")/lib.sh"

BIN=/usr/lib/postgresql/15/bin
AS=()
if [ "$(id -u)" = 0 ]; then AS=(setpriv --reuid=postgres --regid=postgres --clear-groups); fi

install() {
  if [ ! -x $BIN/postgres ]; then fail "missing: apt-get install -y postgresql-15" 3; fi
}

up() {
  local dir=$1 port
  port=$(port_of "$dir" "$2")
  if [ ${#AS[@]} -gt 0 ]; then
    mkdir -p "$dir/pg"
    chown postgres "$dir/pg"
    chmod o+x "$dir"
  fi
  if [ ! -e "$dir/pg/PG_VERSION" ]; then
    echo saffron >"$dir/password"
    chmod 644 "$dir/password"
    "${AS[@]}" $BIN/initdb -D "$dir/pg" -U saffron --pwfile="$dir/password" -A scram-sha-256 \
      --no-locale -E UTF8 >"$dir/initdb.log" 2>&1 || { cat "$dir/initdb.log" >&2; exit 5; }
  fi
  if ! "${AS[@]}" $BIN/pg_ctl -D "$dir/pg" status >/dev/null 2>&1; then
    touch "$dir/pg.log"
    chmod 666 "$dir/pg.log"
    "${AS[@]}" $BIN/pg_ctl -D "$dir/pg" -w -t 60 -l "$dir/pg.log" \
      -o "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories=''" start \
      >/dev/null || { tail -n 20 "$dir/pg.log" >&2; exit 6; }
  fi
  local psql=(psql -q -h 127.0.0.1 -p "$port" -U saffron -d postgres)
  export PGPASSWORD=saffron
  "${psql[@]}" -tAc "select 1 from pg_database where datname = 'saffron'" | grep -q 1 ||
    "${psql[@]}" -c 'create database saffron'
  echo "postgresql://saffron:saffron@127.0.0.1:$port/saffron"
}

down() {
  local mode=fast
  if [ "$2" = -9 ]; then mode=immediate; fi
  "${AS[@]}" $BIN/pg_ctl -D "$1/pg" -m $mode stop >/dev/null 2>&1 || true
}

main "$@"
