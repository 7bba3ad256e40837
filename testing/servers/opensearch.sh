#!/usr/bin/env bash
# A real OpenSearch node (the project's core distribution from Maven Central, plain HTTP, no
# security plugin). See lib.sh for the commands. It needs Java 11 to 21.
# The small heap is mostly garbage between collections: what is live counts, not what is used.
# OPENSEARCH_HEAP (512m) is the size of its heap, OPENSEARCH_EXTRA more lines for opensearch.yml.
source "$(dirname "$(readlink -f "$0")")/lib.sh"

VERSION=${OPENSEARCH_VERSION:-2.19.3}
HOME_DIR=$CACHE/opensearch-$VERSION

install() (
  need java openjdk-17-jre-headless
  need curl curl
  if [ -e "$HOME_DIR/.complete" ]; then return; fi
  need mvn maven
  exec 9>"$CACHE/.lock-opensearch"
  flock 9
  if [ -e "$HOME_DIR/.complete" ]; then return; fi
  local unpacked
  unpacked=$(mktemp -d "$CACHE/.opensearch.XXXXXX")
  trap 'rm -rf "$unpacked"' EXIT
  (cd "$unpacked" && mvn -q -B -Dstyle.color=never -Dmaven.repo.local="$CACHE/m2" \
    org.apache.maven.plugins:maven-dependency-plugin:3.6.1:unpack \
    -Dartifact="org.opensearch.distribution.integ-test-zip:opensearch:$VERSION:zip" \
    -DoutputDirectory="$unpacked") >"$CACHE/opensearch-install.log" 2>&1 ||
    { tail -n 20 "$CACHE/opensearch-install.log" >&2; exit 5; }
  touch "$unpacked/opensearch-$VERSION/.complete"
  rm -rf "$HOME_DIR"
  mv "$unpacked/opensearch-$VERSION" "$HOME_DIR"
)

# configure DIR PORT
configure() {
  mkdir -p "$1/config" "$1/data" "$1/logs" "$1/tmp"
  cat >"$1/config/opensearch.yml" <<P
cluster.name: saffron
node.name: n1
discovery.type: single-node
network.host: 127.0.0.1
http.port: $2
transport.port: 0
path.data: "$1/data"
path.logs: "$1/logs"
bootstrap.system_call_filter: false
cluster.routing.allocation.disk.threshold_enabled: false
indices.breaker.total.use_real_memory: false
${OPENSEARCH_EXTRA:-}
P
  cat >"$1/config/log4j2.properties" <<'P'
status = error
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = [%d{ISO8601}][%-5p][%-12c{1.}] %m%n
rootLogger.level = info
rootLogger.appenderRef.out.ref = out
logger.natives.name = org.opensearch.bootstrap.Natives
logger.natives.level = error
P
}

# The word of its command line by which a process is known to be the node of DIR.
word() { echo "-Dopensearch.path.conf=$1/config"; }

# start DIR: jna.nounpack and an empty boot path keep JNA from loading its native half, and with it
# the check that refuses root.
start() {
  local heap=${OPENSEARCH_HEAP:-512m}
  setsid nohup java "-Xms$heap" "-Xmx$heap" -XX:+UseSerialGC -XX:-UsePerfData \
    -Djna.nosys=true -Djna.nounpack=true "-Djna.boot.library.path=$1/tmp" \
    "-Djava.io.tmpdir=$1/tmp" -Djava.security.manager=allow -Djava.locale.providers=SPI,COMPAT \
    -Dfile.encoding=UTF-8 -Djava.awt.headless=true -XX:-OmitStackTraceInFastThrow \
    -Dlog4j.shutdownHookEnabled=false -Dlog4j2.disable.jmx=true \
    -Dopensearch.networkaddress.cache.ttl=60 -Dopensearch.networkaddress.cache.negative.ttl=10 \
    -Dio.netty.noUnsafe=true -Dio.netty.noKeySetOptimization=true \
    -Dio.netty.recycler.maxCapacityPerThread=0 -Dio.netty.allocator.numDirectArenas=0 \
    -Dopensearch.distribution.type=zip -Dopensearch.bundled_jdk=false \
    "-Dopensearch.path.home=$HOME_DIR" "$(word "$1")" -cp "$HOME_DIR/lib/*" \
    org.opensearch.bootstrap.OpenSearch >>"$1/opensearch.log" 2>&1 </dev/null &
  echo $! >"$1/opensearch.pid"
}

# ready PORT LOG: its own word that it has started, not that of a node which still holds the port.
ready() {
  grep -qE '\[o\.o\.n\.Node *\] started' "$2" && curl -sf -m 5 -o /dev/null \
    "http://127.0.0.1:$1/_cluster/health?wait_for_status=yellow&timeout=3s"
}

up() {
  local dir=$1 port
  port=$(port_of "$dir" "$2")
  if ! alive "$dir/opensearch.pid" "$(word "$dir")"; then
    for _ in $(seq 1 50); do  # a JVM that was killed keeps its port for a moment
      listens "$port" || break
      sleep 0.1
    done
    configure "$dir" "$port"
    : >"$dir/opensearch.log"
    start "$dir"
  fi
  wait_ready "$dir/opensearch.pid" "$(word "$dir")" "$dir/opensearch.log" 90 \
    ready "$port" "$dir/opensearch.log"
  echo "http://127.0.0.1:$port"
}

down() { stop "$1/opensearch.pid" "$(word "$1")" "$2"; }

main "$@"
