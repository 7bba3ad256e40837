#!/usr/bin/env bash
# A real Ceph object gateway over one monitor and one OSD that keeps its objects in memory; access
# key AKIDTEST, secret secretTEST123. See lib.sh for the commands. 13 s to start. A monitor that
# was stopped starts again, but the OSD's objects are gone: it begins from nothing each time.
source "$(dirname "$(readlink -f "$0")")/lib.sh"

install() {
  for command in radosgw ceph-mon ceph-osd ceph uuidgen; do
    need $command "radosgw ceph-mon ceph-osd ceph-common uuid-runtime"
  done
}

# What is below DIR/ceph belongs to one run.
write_conf() {
  local ceph=$1 port=$2 mon=$3
  cat >"$ceph/ceph.conf" <<C
[global]
fsid = $(uuidgen)
ms mon client mode = crc
mon host = [v2:127.0.0.1:$mon,v1:127.0.0.1:$((mon + 1))]
mon initial members = a
public addr = 127.0.0.1
cluster addr = 127.0.0.1
auth cluster required = none
auth service required = none
auth client required = none
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon warn on pool no redundancy = false
run dir = $ceph
log file = $ceph/\$name.log
admin socket = $ceph/\$name.asok
keyring = $ceph/keyring
[mon.a]
mon data = $ceph/mon
mon data avail crit = 1
[osd.0]
osd data = $ceph/osd
osd objectstore = memstore
memstore device bytes = 2147483648
osd class load list = *
osd class default list = *
[client.admin]
rgw frontends = beast endpoint=127.0.0.1:$port
rgw thread pool size = 32
rgw enable usage log = false
rgw enable ops log = false
rgw dns name = localhost
debug rgw = 0
C
  touch "$ceph/keyring"
}

# start CEPH NAME COMMAND...: in the foreground of its own session, its id beside its log.
start() {
  local ceph=$1 name=$2
  shift 2
  setsid nohup "$@" -f -c "$ceph/ceph.conf" >>"$ceph/$name.out" 2>&1 </dev/null &
  echo $! >"$ceph/$name.pid"
}

osd_is_up() { timeout 10 ceph -c "$1/ceph.conf" osd stat 2>/dev/null | grep -q '1 up'; }
answers() { curl -s -m 2 -o /dev/null "http://127.0.0.1:$1/"; }

begin() {
  local ceph=$1 port=$2 mon osd conf=$1/ceph.conf
  rm -rf "$ceph"
  mkdir -p "$ceph/mon" "$ceph/osd"
  mon=$(free_port 2)
  write_conf "$ceph" "$port" "$mon"
  monmaptool --create --fsid "$(sed -n 's/^fsid = //p' "$conf")" \
    --addv a "[v2:127.0.0.1:$mon,v1:127.0.0.1:$((mon + 1))]" "$ceph/monmap" >/dev/null
  ceph-mon --mkfs -i a --monmap "$ceph/monmap" -c "$conf"
  start "$ceph" mon ceph-mon -i a
  osd=$(uuidgen)
  timeout 60 ceph -c "$conf" osd new "$osd" >/dev/null
  ceph-osd -i 0 --mkfs --osd-uuid "$osd" -c "$conf" >"$ceph/mkfs.out" 2>&1
  start "$ceph" osd ceph-osd -i 0
  wait_ready "$ceph/osd.pid" "$conf" "$ceph/osd.out" 30 osd_is_up "$ceph"
  timeout 60 radosgw-admin -c "$conf" user create --uid=test --display-name=Test \
    --access-key=AKIDTEST --secret=secretTEST123 >"$ceph/user.json" 2>"$ceph/user.out" ||
    { cat "$ceph/user.out" >&2; exit 5; }
  start "$ceph" rgw radosgw -n client.admin
}

up() {
  local dir=$1 ceph=$1/ceph port
  port=$(port_of "$dir" "$2")
  if ! alive "$ceph/rgw.pid" "$ceph/ceph.conf"; then
    down "$dir" -9
    begin "$ceph" "$port"
  fi
  wait_ready "$ceph/rgw.pid" "$ceph/ceph.conf" "$ceph/rgw.out" 60 answers "$port"
  echo "http://127.0.0.1:$port"
}

down() {
  local ceph=$1/ceph
  for name in rgw osd mon; do stop "$ceph/$name.pid" "$ceph/ceph.conf" "$2"; done
}

main "$@"
