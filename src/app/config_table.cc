// Every environment variable. Names are fixed: runbooks and deployments depend on them.
#include <array>

#include "app/config.h"

namespace saffron {
namespace {

using enum VariableKind;

constexpr double kMiB = 1024.0 * 1024;

constexpr Variable Secret(std::string_view group, std::string_view name, ConfigField field,
                          std::string_view meaning) {
  return {.group = group,
          .name = name,
          .kind = kText,
          .field = field,
          .default_text = "",
          .meaning = meaning,
          .secrecy = Secrecy::kSecret};
}

constexpr Variable Text(std::string_view group, std::string_view name, ConfigField field,
                        std::string_view fallback, std::string_view meaning) {
  return {.group = group,
          .name = name,
          .kind = kText,
          .field = field,
          .default_text = fallback,
          .meaning = meaning};
}

constexpr Variable Bool(std::string_view group, std::string_view name, ConfigField field,
                        std::string_view fallback, std::string_view meaning) {
  return {.group = group,
          .name = name,
          .kind = kBool,
          .field = field,
          .default_text = fallback,
          .meaning = meaning};
}

struct Range {
  double min, max;
};

constexpr Variable Ranged(std::string_view group, std::string_view name, VariableKind kind,
                          ConfigField field, std::string_view fallback, Range range,
                          std::string_view meaning) {
  return {.group = group,
          .name = name,
          .kind = kind,
          .field = field,
          .default_text = fallback,
          .meaning = meaning,
          .min = range.min,
          .max = range.max};
}

constexpr Variable Choice(std::string_view group, std::string_view name, ConfigField field,
                          std::string_view fallback, std::string_view choices,
                          std::string_view meaning) {
  return {.group = group,
          .name = name,
          .kind = kChoice,
          .field = field,
          .default_text = fallback,
          .meaning = meaning,
          .choices = choices};
}

constexpr Variable Url(std::string_view group, std::string_view name, ConfigField field,
                       std::string_view schemes, std::string_view meaning) {
  return {.group = group,
          .name = name,
          .kind = kUrl,
          .field = field,
          .default_text = "",
          .meaning = meaning,
          .choices = schemes};
}

constexpr Variable WithNote(Variable variable, std::string_view note) {
  variable.default_note = note;
  return variable;
}

constexpr Variable Hidden(Variable variable) {
  variable.secrecy = Secrecy::kSecret;
  return variable;
}

constexpr std::string_view kProcess = "Process";
constexpr std::string_view kAuth = "Who may call";
constexpr std::string_view kLimits = "HTTP limits";
constexpr std::string_view kLog = "Event log";
constexpr std::string_view kRegistry = "Registry";
constexpr std::string_view kPublisher = "Publisher and bus";
constexpr std::string_view kSinks = "Graph and search";
constexpr std::string_view kWorkers = "Workers";

constexpr auto kVariables = std::to_array<Variable>({
    Text(kProcess, "SAFFRON_DATA_DIR", &Config::data_dir, "saffron-data",
         "Where the embedded engines keep their files. One process owns it."),
    {.group = kProcess,
     .name = "SAFFRON_LISTEN",
     .kind = kAddress,
     .field = &Config::listen,
     .default_text = "127.0.0.1:8000",
     .meaning = "Where the HTTP server listens; commands that talk to a server look there too. "
                "Port 0 takes any free one."},
    Choice(kProcess, "SAFFRON_LOG_LEVEL", &Config::log_level, "info", "debug|info|warning|error",
           "The least important log lines that are written."),
    Choice(kProcess, "SAFFRON_LOG_FORMAT", &Config::log_format, "text", "text|json",
           "Log lines for people or for machines."),
    Bool(kProcess, "ENABLE_EVENT_SOURCING", &Config::event_sourcing, "true",
         "Kept for existing deployments: there is no other mode, and false refuses to start."),

    Secret(kAuth, "OMS_ADMIN_TOKEN", &Config::admin_token,
           "Token of the role admin: everything, the operations included."),
    Secret(kAuth, "OMS_WRITE_TOKEN", &Config::write_token,
           "Token of the role writer: commands and reads."),
    Secret(kAuth, "SAFFRON_READ_TOKEN", &Config::read_token, "Token of the role reader."),
    WithNote(Bool(kAuth, "OMS_REQUIRE_AUTH", &Config::require_auth, "",
                  "Whether a request needs a token. An address that is not loopback without any "
                  "token is refused unless this is false."),
             "true if a token is set"),

    Ranged(kLimits, "SAFFRON_HTTP_THREADS", kInteger, &Config::http_threads, "0", {0, 64},
           "Threads that serve HTTP; 0 means one a core, at most two."),
    Ranged(kLimits, "SAFFRON_MAX_CONNECTIONS", kInteger, &Config::max_connections, "12000",
           {1, 1'000'000}, "Open connections; more are refused."),
    Ranged(kLimits, "SAFFRON_MAX_BODY_BYTES", kInteger, &Config::max_body_bytes, "1048576",
           {1024, 64 * kMiB}, "The largest request body, but for bulk and transactions."),
    Ranged(kLimits, "SAFFRON_MAX_BULK_BODY_BYTES", kInteger, &Config::max_bulk_body_bytes,
           "16777216", {1024, 256 * kMiB}, "The largest body of bulk and transactions."),
    Ranged(kLimits, "SAFFRON_REQUEST_TIMEOUT_SECONDS", kSeconds, &Config::request_timeout, "10",
           {1, 300}, "How long a write may wait for its place in the log, then 503."),

    Ranged(kLog, "SAFFRON_MAX_EVENT_BYTES", kInteger, &Config::max_event_bytes, "921600",
           {4096, 8 * kMiB},
           "The largest event. Read when the log is created; a later value that differs is "
           "refused."),
    Ranged(kLog, "SAFFRON_RESERVATION_SECONDS", kSeconds, &Config::reservation, "5", {1, 120},
           "How long a writer has to commit what it reserved. Less than the request timeout."),
    Ranged(kLog, "SAFFRON_APPEND_LINGER_MS", kInteger, &Config::append_linger_ms, "0", {0, 2'000},
           "How long a batch that is not full waits for company. Longer: fewer and larger objects, "
           "and every write waits so much longer."),
    Ranged(kLog, "SAFFRON_APPEND_LANES", kInteger, &Config::append_lanes, "2", {1, 32},
           "Batches that a process appends at the same time."),
    Choice(kLog, "SAFFRON_DURABILITY", &Config::durability, "batch", "batch|none",
           "Directory store: batch syncs every batch before it is acknowledged; none leaves it to "
           "the kernel and can lose acknowledged data in a power cut."),
    Url(kLog, "MINIO_ENDPOINT_URL", &Config::minio_endpoint_url, "http|https",
        "The S3 or MinIO server of the log. Unset: a directory below SAFFRON_DATA_DIR."),
    Text(kLog, "MINIO_ACCESS_KEY", &Config::minio_access_key, "", "Access key of that server."),
    Secret(kLog, "MINIO_SECRET_KEY", &Config::minio_secret_key, "Secret key of that server."),
    Text(kLog, "EVENT_STORE_BUCKET", &Config::bucket, "spice-event-store", "Bucket of the log."),
    Bool(kLog, "EVENT_STORE_REQUIRE_TLS", &Config::require_tls, "false",
         "Refuse an http:// address of the object store."),
    Bool(kLog, "EVENT_STORE_SSL_VERIFY", &Config::ssl_verify, "true",
         "Check the certificate of the object store."),
    Choice(kLog, "EVENT_STORE_S3_ADDRESSING_STYLE", &Config::s3_addressing_style, "path",
           "path|virtual|auto",
           "Whether the bucket stands in the path or in the host name; auto: in the host name of "
           "Amazon's own endpoints."),
    Text(kLog, "SAFFRON_S3_REGION", &Config::s3_region, "us-east-1",
         "Region that requests are signed for."),
    Secret(kLog, "SAFFRON_S3_SESSION_TOKEN", &Config::s3_session_token,
           "Session token of temporary credentials."),
    Text(kLog, "SAFFRON_S3_CA_FILE", &Config::s3_ca_file, "",
         "Certificates to trust for the object store, in PEM. Unset: the system's."),

    Hidden(Url(kRegistry, "POSTGRES_URL", &Config::postgres_url, "postgres|postgresql",
               "The PostgreSQL server of the registry. Unset: the embedded registry.")),
    Bool(kRegistry, "ENABLE_PROCESSED_EVENT_REGISTRY", &Config::processed_event_registry, "true",
         "Kept for existing deployments: false refuses to start."),
    Ranged(kRegistry, "SAFFRON_POSTGRES_CONNECTIONS", kInteger, &Config::postgres_connections, "8",
           {2, 200}, "Connections of this process to PostgreSQL; two more listen and fence."),
    WithNote(Choice(kRegistry, "EVENT_STORE_SEQUENCE_ALLOCATOR_MODE", &Config::allocator_mode, "",
                    "postgres|embedded",
                    "Where sequence numbers come from; one that contradicts POSTGRES_URL is "
                    "refused."),
             "postgres if POSTGRES_URL is set, else embedded"),
    Text(kRegistry, "EVENT_STORE_SEQUENCE_SCHEMA", &Config::sequence_schema, "spice_event_registry",
         "PostgreSQL schema of the registry's tables."),
    Text(kRegistry, "EVENT_STORE_SEQUENCE_HANDLER_PREFIX", &Config::sequence_handler_prefix,
         "write_side", "Prefix of the allocator's handler in aggregate_versions."),
    Ranged(kRegistry, "PROCESSED_EVENT_LEASE_TIMEOUT_SECONDS", kSeconds, &Config::lease_timeout,
           "900", {1, 86'400}, "After how long without a heartbeat another worker takes a claim."),
    Ranged(kRegistry, "PROCESSED_EVENT_HEARTBEAT_INTERVAL_SECONDS", kSeconds,
           &Config::heartbeat_interval, "30", {0.1, 3'600},
           "How often a worker renews its claims. Less than the lease timeout."),
    Ranged(kRegistry, "SAFFRON_PROCESSED_EVENT_RETENTION_DAYS", kInteger,
           &Config::claim_retention_days, "30", {0, 36'500},
           "How long processed_events keeps what was done; 0: for ever. Workers delete what is "
           "older."),
    WithNote(Text(kRegistry, "PROCESSED_EVENT_OWNER", &Config::owner, "",
                  "Name of this worker in its claims."),
             "the host name"),

    Ranged(
        kPublisher, "EVENT_PUBLISHER_BATCH_SIZE", kInteger, &Config::publisher_batch_size, "200",
        {1, 100'000},
        "Events that the publisher hands to the bus at once; up to 16 times as many of a backlog."),
    WithNote(Ranged(kPublisher, "EVENT_PUBLISHER_KAFKA_FLUSH_BATCH_SIZE", kInteger,
                    &Config::publisher_flush_batch_size, "0", {0, 100'000},
                    "Events after which the publisher waits for the broker."),
             "EVENT_PUBLISHER_BATCH_SIZE"),
    Ranged(kPublisher, "EVENT_PUBLISHER_KAFKA_FLUSH_TIMEOUT_SECONDS", kSeconds,
           &Config::publisher_flush_timeout, "10", {0.1, 600},
           "How long the publisher waits for the broker."),
    Ranged(kPublisher, "EVENT_PUBLISHER_METRICS_LOG_INTERVAL_SECONDS", kSeconds,
           &Config::publisher_metrics_interval, "30", {1, 86'400},
           "How often the publisher logs its lag."),
    Text(kPublisher, "EVENT_PUBLISHER_CHECKPOINT_KEY", &Config::publisher_checkpoint_key,
         "checkpoints/event_publisher.json", "Object key of the publisher's checkpoint."),
    Ranged(kPublisher, "EVENT_PUBLISHER_POLL_INTERVAL", kSeconds, &Config::publisher_poll_interval,
           "3", {0.01, 600},
           "Longest wait between two looks at the log when nothing wakes the publisher."),
    Ranged(kPublisher, "SAFFRON_PUBLISHER_LEASE_SECONDS", kSeconds, &Config::publisher_lease, "15",
           {1, 600},
           "After how long without a renewal a standby takes over, and after how long of failing "
           "the publisher lets go."),
    Text(kPublisher, "KAFKA_BOOTSTRAP_SERVERS", &Config::kafka_bootstrap_servers, "",
         "Kafka brokers, host:port separated by commas. Unset: the embedded bus."),
    WithNote(Ranged(kPublisher, "SAFFRON_TOPIC_PARTITIONS", kInteger, &Config::topic_partitions,
                    "0", {0, 1'000},
                    "Partitions of topics that are made; a topic with fewer is refused. No more "
                    "workers of a kind than this have work."),
             "12 with Kafka, else 1"),
    WithNote(Ranged(kPublisher, "SAFFRON_TOPIC_REPLICATION", kInteger, &Config::topic_replication,
                    "0", {0, 100}, "Copies of topics that are made on Kafka."),
             "the cluster's"),
    WithNote(Ranged(kPublisher, "SAFFRON_TOPIC_RETENTION_HOURS", kInteger,
                    &Config::topic_retention_hours, "0", {0, 87'600},
                    "How long topics that are made on Kafka keep events. The log keeps them for "
                    "ever, so a consumer that was away for longer reads there."),
             "the cluster's"),

    Url(kSinks, "TERMINUS_SERVER_URL", &Config::terminus_server_url, "http|https",
        "The TerminusDB server of the graph. Unset: the embedded graph."),
    Text(kSinks, "TERMINUS_USER", &Config::terminus_user, "admin", "User of that server."),
    Text(kSinks, "TERMINUS_ACCOUNT", &Config::terminus_account, "admin",
         "Organisation that owns the databases."),
    Secret(kSinks, "TERMINUS_KEY", &Config::terminus_key, "Password of that user."),
    Text(kSinks, "SAFFRON_TERMINUS_DATABASE", &Config::terminus_database, "saffron",
         "Name of the databases there: another one for each deployment that shares the server."),
    Text(kSinks, "SAFFRON_TERMINUS_CA_FILE", &Config::terminus_ca_file, "",
         "Certificates to trust for that server, in PEM. Unset: the system's."),
    Url(kSinks, "ELASTICSEARCH_URL", &Config::elasticsearch_url, "http|https",
        "The Elasticsearch or OpenSearch server. Unset: the embedded search."),
    Text(kSinks, "SAFFRON_ELASTICSEARCH_USER", &Config::elasticsearch_user, "",
         "User of that server."),
    Secret(kSinks, "SAFFRON_ELASTICSEARCH_PASSWORD", &Config::elasticsearch_password,
           "Password of that user."),
    Secret(kSinks, "SAFFRON_ELASTICSEARCH_API_KEY", &Config::elasticsearch_api_key,
           "API key, instead of user and password."),
    Text(kSinks, "SAFFRON_ELASTICSEARCH_CA_FILE", &Config::elasticsearch_ca_file, "",
         "Certificates to trust for that server, in PEM. Unset: the system's."),
    Text(kSinks, "SAFFRON_ELASTICSEARCH_PREFIX", &Config::elasticsearch_prefix, "saffron",
         "How the names of its indexes begin: another one for each deployment that shares the "
         "server."),

    Ranged(kWorkers, "ONTOLOGY_WORKER_MAX_RETRY_ATTEMPTS", kInteger,
           &Config::ontology_worker_max_attempts, "5", {1, 1'000},
           "Attempts at a command on a database or class before it is parked."),
    Ranged(kWorkers, "INSTANCE_WORKER_MAX_RETRY_ATTEMPTS", kInteger,
           &Config::instance_worker_max_attempts, "5", {1, 1'000},
           "Attempts at a command on an instance before it is parked."),
    Ranged(kWorkers, "PROJECTION_WORKER_MAX_RETRIES", kInteger,
           &Config::projection_worker_max_attempts, "5", {1, 1'000},
           "Attempts at writing an event to the search index before it is dead-lettered."),
});

}  // namespace

std::span<const Variable> Variables() { return kVariables; }

}  // namespace saffron
