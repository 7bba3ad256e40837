#!/usr/bin/env bash
# A real Apache Kafka broker (KRaft, broker and controller in one). See lib.sh for the commands.
# It listens without protection on PORT, for its controller on PORT+1, and on PORT+2 with TLS and
# SASL/PLAIN: user saffron, password saffron-secret, certificate DIR/tls.pem. Its jars come from
# Maven Central. KAFKA_ADVERTISED (127.0.0.1:PORT) is the unprotected address that it tells clients:
# that of a proxy in front of it.
source "$(dirname "$(readlink -f "$0")")/lib.sh"

VERSION=${KAFKA_VERSION:-4.1.0}
JARS=$CACHE/kafka-$VERSION

# The broker's own pom leaves out a logging backend.
install() (
  need java openjdk-17-jre-headless
  if [ -e "$JARS/.complete" ]; then return; fi
  need mvn maven
  exec 9>"$CACHE/.lock-kafka"
  flock 9
  if [ -e "$JARS/.complete" ]; then return; fi
  work=$(mktemp -d "$CACHE/.kafka-XXXXXX")
  trap 'rm -rf "$work"' EXIT
  cat >"$work/pom.xml" <<P
<project><modelVersion>4.0.0</modelVersion>
<groupId>saffron</groupId><artifactId>kafka</artifactId><version>1</version>
<packaging>pom</packaging>
<dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId>
<version>$VERSION</version></dependency>
<dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId>
<version>2.24.3</version></dependency>
</dependencies></project>
P
  (cd "$work" && mvn -q -B -Dstyle.color=never -Dmaven.repo.local="$CACHE/m2" \
    org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$work/lib") >"$work/mvn.log" 2>&1 ||
    { tail -n 20 "$work/mvn.log" >&2; exit 5; }
  touch "$work/lib/.complete"
  rm -rf "$JARS"
  mv "$work/lib" "$JARS"
)

# A broker killed is otherwise missed for 9 s, and its restart waits for that. The first group does
# not wait for more members, and the files are small.
properties() {
  local dir=$1 port=$2 login=org.apache.kafka.common.security.plain.PlainLoginModule plain protected
  plain=PLAINTEXT://127.0.0.1:$port
  protected=SASL_SSL://127.0.0.1:$((port + 2))
  cat <<P
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$((port + 1))
listeners=$plain,$protected,CONTROLLER://127.0.0.1:$((port + 1))
advertised.listeners=PLAINTEXT://${KAFKA_ADVERTISED:-127.0.0.1:$port},$protected
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL
ssl.keystore.type=PEM
ssl.keystore.location=$dir/tls.pem
sasl.enabled.mechanisms=PLAIN
listener.name.sasl_ssl.plain.sasl.jaas.config=$login required user_saffron="saffron-secret";
log.dirs=$dir/data
num.network.threads=2
num.io.threads=4
auto.create.topics.enable=false
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
group.initial.rebalance.delay.ms=0
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=9000
log.segment.bytes=67108864
log.cleaner.dedupe.buffer.size=4194304
log.cleaner.threads=1
P
}

log_settings() {
  cat <<'P'
status=error
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=[%d] %p %m (%c)%n
rootLogger.level=warn
rootLogger.appenderRef.out.ref=out
logger.server.name=kafka.server.KafkaRaftServer
logger.server.level=info
P
}

prepare() {
  local dir=$1 port=$2
  if [ ! -s "$dir/tls.pem" ]; then
    openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=localhost \
      -addext subjectAltName=DNS:localhost,IP:127.0.0.1 \
      -keyout "$dir/key.pem" -out "$dir/cert.pem" 2>/dev/null
    cat "$dir/key.pem" "$dir/cert.pem" >"$dir/tls.pem"
  fi
  properties "$dir" "$port" >"$dir/server.properties"
  log_settings >"$dir/log.properties"
  if [ ! -e "$dir/data/meta.properties" ]; then
    java -Xmx128m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC \
      "-Dlog4j2.configurationFile=$dir/log.properties" -cp "$JARS/*" kafka.tools.StorageTool \
      format -t "$(head -c 16 /dev/urandom | base64 | tr '+/' ab | tr -d =)" \
      -c "$dir/server.properties" >"$dir/format.log" 2>&1 || { cat "$dir/format.log" >&2; exit 5; }
  fi
}

started() { grep -q 'Kafka Server started' "$1/kafka.log" && listens "$2"; }

up() {
  local dir=$1 port
  need openssl openssl
  port=$(port_of "$dir" "$2" 3)
  if ! alive "$dir/kafka.pid" "$dir/server.properties"; then
    prepare "$dir" "$port"
    # A JVM that was killed keeps its ports for a moment.
    for _ in $(seq 1 100); do listens "$port" || listens $((port + 1)) || break; sleep 0.1; done
    : >"$dir/kafka.log"
    setsid nohup java "-Xms${KAFKA_HEAP:-384m}" "-Xmx${KAFKA_HEAP:-384m}" -XX:+UseSerialGC \
      -XX:-UsePerfData -Djava.awt.headless=true -Djava.net.preferIPv4Stack=true \
      "-Dkafka.logs.dir=$dir" "-Dlog4j2.configurationFile=$dir/log.properties" -cp "$JARS/*" \
      kafka.Kafka "$dir/server.properties" >>"$dir/kafka.log" 2>&1 </dev/null &
    echo $! >"$dir/kafka.pid"
  fi
  wait_ready "$dir/kafka.pid" "$dir/server.properties" "$dir/kafka.log" 60 started "$dir" "$port"
  echo "127.0.0.1:$port"
}

down() { stop "$1/kafka.pid" "$1/server.properties" "$2"; }

main "$@"
