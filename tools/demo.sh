#!/usr/bin/env bash
# ./dev demo: starts a server on the embedded default, loads the example and shows what it does.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."

saffron=$PWD/build/release/saffron
listen=${SAFFRON_LISTEN:-127.0.0.1:8000}
data_dir='' end=0 orders=5000

while [ $# -gt 0 ]; do
  case $1 in
    -h | --help)
      cat <<'TEXT'
Usage: ./dev demo [--exit] [--data-dir DIR] [--listen HOST:PORT] [--orders N]

Builds, starts a server on the embedded default, loads examples/logistics and shows a search, a
three-hop graph query, a change, its retry answered, a stale write refused, the history of one
aggregate, and verify; then serves until Ctrl-C and says what to try.

  --exit       end after the tour instead of serving on
  --data-dir   keep the data there, relative to the repository (default: a temporary folder)
  --listen     where to serve (default 127.0.0.1:8000)
  --orders     size of the example (default 5000 orders, about 20,000 rows)
TEXT
      exit ;;
    --exit) end=1 ;;
    --data-dir | --listen | --orders)
      [ $# -ge 2 ] || { echo "./dev demo: $1 wants a value" >&2; exit 2; }
      case $1 in
        --data-dir) data_dir=$2 ;;
        --listen) listen=$2 ;;
        --orders) orders=$2 ;;
      esac
      shift ;;
    *) echo "./dev demo: unknown option $1" >&2; exit 2 ;;
  esac
  shift
done

if [ -t 1 ]; then bold=$'\e[1m' dim=$'\e[2m' plain=$'\e[0m'; else bold='' dim='' plain=''; fi
step() { printf '\n%s==> %s%s\n' "$bold" "$1" "$plain"; }
# Prints a command as one could type it.
shown() {
  local line='' word
  for word in "$@"; do
    case $word in *[!a-zA-Z0-9_./:=@,~-]*) word="'$word'" ;; esac
    line+=" ${word/#$PWD\//}"
  done
  printf '%s    $%s%s\n' "$dim" "$line" "$plain"
}
run() { shown "$@"; "$@"; }
# call METHOD PATH [CURL OPTIONS]: shows and sends a request, prints the status and what matters.
call() {
  local method=$1 url="http://$listen$2"
  shift 2
  shown curl -X "$method" "$@" "$url"
  curl -sS -X "$method" -w '\n%{http_code}' "$@" "$url" | python3 tools/demo_view.py answer
}

work=$(mktemp -d)
if [ -z "$data_dir" ]; then data_dir=$work/data; fi
export SAFFRON_LISTEN=$listen SAFFRON_DATA_DIR=$data_dir
unset OMS_ADMIN_TOKEN OMS_WRITE_TOKEN SAFFRON_READ_TOKEN OMS_REQUIRE_AUTH
server=''
cleanup() {
  trap - EXIT INT TERM
  if [ -n "$server" ] && kill -0 "$server" 2>/dev/null; then
    kill -TERM "$server"
    wait "$server" || true
  fi
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Else the tour would be of whatever answers there.
if curl -s "http://$listen/health/live" >/dev/null; then
  echo "./dev demo: something answers at http://$listen already; choose another --listen" >&2
  exit 1
fi

step "Starting a server; log, registry, bus, graph and search lie in $data_dir"
printf '%s    $ build/release/saffron serve --listen %s --data-dir %s &%s\n' "$dim" "$listen" \
  "$data_dir" "$plain"
# In its own session, so that Ctrl-C reaches this script first.
setsid "$saffron" serve >"$work/server.log" 2>&1 &
server=$!
for _ in $(seq 200); do
  if curl -sf "http://$listen/health/ready" >/dev/null; then break; fi
  if ! kill -0 "$server" 2>/dev/null; then
    server=''
    cat "$work/server.log" >&2
    exit 1
  fi
  sleep 0.1
done
if ! curl -sf "http://$listen/health/ready" >/dev/null; then
  tail -n 20 "$work/server.log" >&2
  echo "The server did not become ready within 20 s" >&2
  exit 1
fi

step "Loading the example: a shop with $orders orders"
run examples/logistics/generate.py "$orders" "$work/shop"
run "$saffron" load --db logistics --ontology examples/logistics/ontology.json \
  --data "$work/shop" --wait

# COMPLETED is what the graph has; the search index may be a moment behind.
for _ in $(seq 100); do
  if "$saffron" status --json | python3 tools/demo_view.py searchable; then break; fi
  sleep 0.1
done

step "Search: gold customers in Korea"
run "$saffron" query logistics Customer --where 'country = KR' --where 'tier = gold' --limit 3

step "Graph, three hops: damaged returns -> their items -> the SKUs -> the products"
run "$saffron" query logistics Return --where 'reason = damaged' --hop returned_items:OrderItem \
  --hop sku:Sku --hop variant_of:Product --paths --limit 3

order=ORD-00000001
aggregate="/api/v1/aggregates/Instance/logistics:main:Order:$order"
step "Every change goes through the log: an update of $order"
number=$(curl -sS "http://$listen$aggregate" | python3 tools/demo_view.py number)
update="/api/v1/instances/logistics/async/Order/$order/update?expected_seq=$number&wait=10"
key="demo-$(date +%s)"
body='{"data":{"note":"gift wrap, please"}}'
call PUT "$update" -H 'Content-Type: application/json' -H "Idempotency-Key: $key" -d "$body"

step "The same request again, from a client that lost the answer: no second event"
call PUT "$update" -H 'Content-Type: application/json' -H "Idempotency-Key: $key" -d "$body"

step "A stale write: somebody who has not seen that update is refused, and told the current number"
call PUT "$update" -H 'Content-Type: application/json' -d '{"data":{"note":"no gift wrap"}}'

step "The whole history of $order, from the log"
shown curl "http://$listen$aggregate/events"
curl -sS "http://$listen$aggregate/events" | python3 tools/demo_view.py events

step "Verify: the log against registry, bus, graph and search"
run "$saffron" verify

suggestions() {
  cat <<TEXT
    build/release/saffron status
    build/release/saffron query logistics Order --where 'total >= 2000' --sort -total
    build/release/saffron query logistics Product --text lantern
    build/release/saffron rebuild search               # from the log alone, while it serves
    curl -N http://$listen/api/v1/events/stream        # every event, as it happens
    curl http://$listen/metrics
    curl http://$listen/openapi.json
TEXT
}

if [ "$end" -eq 1 ]; then
  step "Done. To go on: a server that keeps its data, the example in it, and then"
  cat <<TEXT
    ./dev demo --data-dir demo-data --listen $listen
TEXT
else
  step "Serving on http://$listen until Ctrl-C. Try, in another terminal:"
fi
if [ "$listen" != 127.0.0.1:8000 ]; then echo "    export SAFFRON_LISTEN=$listen"; fi
suggestions
cat <<TEXT

With --data-dir the data stays: kill -9 the server, and
\`build/release/saffron serve --data-dir DIR\` goes on where it was.
README.md says what to read next.
TEXT
if [ "$end" -eq 1 ]; then exit 0; fi
trap 'exit 0' INT
wait "$server"
