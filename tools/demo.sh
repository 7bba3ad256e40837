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
three-hop graph query, the history of one aggregate, a stale write refused, a retry answered and
verify; then serves until Ctrl-C.

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
shown() { printf '%s    $ %s%s\n' "$dim" "$*" "$plain"; }
run() { shown "$@"; "$@"; }
pretty() { python3 -c 'import json,sys; print(json.dumps(json.load(sys.stdin), indent=2)[:2500])'; }
# call METHOD PATH [CURL OPTIONS]: shows and sends a request, prints status and body.
call() {
  local method=$1 url="http://$listen$2"
  shift 2
  shown curl -X "$method" "$@" "'$url'"
  curl -sS -X "$method" -w '\n(HTTP %{http_code})\n' "$@" "$url"
}
field() { python3 -c 'import json,sys; print(json.load(sys.stdin)["data"][sys.argv[1]])' "$1"; }

work=$(mktemp -d)
if [ -z "$data_dir" ]; then data_dir=$work/data; fi
export SAFFRON_LISTEN=$listen SAFFRON_DATA_DIR=$data_dir
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

step "Starting a server; log, registry, bus, graph and search lie in $data_dir"
shown "SAFFRON_LISTEN=$listen SAFFRON_DATA_DIR=$data_dir saffron serve &"
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

step "Search: gold customers in Korea"
run "$saffron" query logistics Customer --where 'country = KR' --where 'tier = gold' --limit 3

step "Graph, three hops: damaged returns -> their items -> the SKUs -> the products"
run "$saffron" query logistics Return --where 'reason = damaged' --hop returned_items:OrderItem \
  --hop sku:Sku --hop variant_of:Product --limit 3

order=ORD-00000001
aggregate="/api/v1/aggregates/Instance/logistics:main:Order:$order"
step "Every change goes through the log: an update of $order"
number=$(curl -sS "http://$listen$aggregate" | field sequence_number)
update="/api/v1/instances/logistics/async/Order/$order/update?expected_seq=$number&wait=10"
key="demo-$(date +%s)"
body='{"data":{"note":"gift wrap, please"}}'
call PUT "$update" -H 'Content-Type: application/json' -H "Idempotency-Key: $key" -d "$body"

step "The same request again, from a client that lost the answer: no second event"
call PUT "$update" -H 'Content-Type: application/json' -H "Idempotency-Key: $key" -d "$body"

step "A stale write: somebody who has not seen that update is refused, and told the current number"
call PUT "$update" -H 'Content-Type: application/json' -d '{"data":{"note":"no gift wrap"}}'

step "The whole history of $order, from the log"
shown "curl 'http://$listen$aggregate/events'"
curl -sS "http://$listen$aggregate/events" | pretty

step "Verify: the log against registry, bus, graph and search"
run "$saffron" verify

if [ "$end" -eq 1 ]; then
  step "Done"
  exit 0
fi
step "Serving on http://$listen until Ctrl-C. Try, in another terminal:"
cat <<TEXT
    build/release/saffron status
    build/release/saffron query logistics Order --where 'total >= 2000' --sort -total
    build/release/saffron query logistics Product --text lantern
    curl -N http://$listen/api/v1/events/stream        # every event, as it happens
    curl http://$listen/metrics
    curl http://$listen/openapi.json
    kill -9 $server        # nothing is lost: saffron serve --data-dir  goes on
TEXT
trap 'exit 0' INT
wait "$server"
