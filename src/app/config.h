// The configuration of a process: environment variables, each declared once in the table of
// config_table.cc, from which come parsing, `saffron config` and docs/configuration.md.
//
// Values, read once at start by the main thread and then only read; nothing watches them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "app/service.h"
#include "base/log.h"
#include "base/result.h"
#include "base/runtime.h"
#include "net/url.h"

namespace saffron {

struct Config {
  // The process.
  bool event_sourcing = true;
  std::string data_dir;
  HostPort listen;
  std::string log_level, log_format;
  // Who may call.
  std::string admin_token, write_token, read_token;
  std::optional<bool> require_auth;  // nothing: as AuthRequired says
  // Limits of the HTTP side.
  std::int64_t http_threads = 0;
  std::int64_t max_connections = 0;
  std::int64_t max_body_bytes = 0;
  std::int64_t max_bulk_body_bytes = 0;
  Duration request_timeout{0};
  // The event log.
  std::int64_t max_event_bytes = 0;
  Duration reservation{0};
  std::int64_t append_lanes = 0;
  std::int64_t append_linger_ms = 0;
  std::string durability;
  std::string bucket;
  std::string minio_endpoint_url, minio_access_key, minio_secret_key;
  std::string s3_region, s3_session_token, s3_addressing_style, s3_ca_file;
  bool require_tls = false;
  bool ssl_verify = true;
  // The registry.
  std::string postgres_url;
  std::int64_t postgres_connections = 0;
  bool processed_event_registry = true;
  Duration lease_timeout{0};
  Duration heartbeat_interval{0};
  std::int64_t claim_retention_days = 0;  // 0: for ever
  std::string owner;
  std::string allocator_mode;  // empty: as POSTGRES_URL says
  std::string sequence_schema;
  std::string sequence_handler_prefix;
  // The publisher and the bus.
  std::int64_t publisher_batch_size = 0;
  std::int64_t publisher_flush_batch_size = 0;  // 0: publisher_batch_size
  Duration publisher_flush_timeout{0};
  Duration publisher_metrics_interval{0};
  std::string publisher_checkpoint_key;
  Duration publisher_poll_interval{0};
  Duration publisher_lease{0};
  std::string kafka_bootstrap_servers;
  std::int64_t topic_partitions = 0;                 // 0: as TopicPartitions says
  std::int64_t topic_replication = 0;                // 0: the cluster's
  std::int64_t topic_retention_hours = 0;            // 0: the cluster's
  std::map<std::string, std::string> kafka_options;  // "security.protocol" -> "SASL_SSL"
  // The sinks.
  std::string terminus_server_url, terminus_user, terminus_account, terminus_key;
  std::string terminus_database, terminus_ca_file;
  std::string elasticsearch_url, elasticsearch_user, elasticsearch_password;
  std::string elasticsearch_api_key, elasticsearch_ca_file, elasticsearch_prefix;
  // The workers.
  std::int64_t instance_worker_max_attempts = 0;
  std::int64_t ontology_worker_max_attempts = 0;
  std::int64_t projection_worker_max_attempts = 0;

  // Of OMS_REQUIRE_AUTH, else whether any token is set.
  bool AuthRequired() const;
  std::uint32_t TopicPartitions() const;
  // No engine is a server: everything lies below data_dir.
  bool AllEmbedded() const;
  // Every engine is a server: this process owns nothing but its memory.
  bool AllServers() const;
  LogLevel Level() const;
  LogFormat Format() const;
};

// What may be shown of a URL: "http://user:***@host", and nothing of a query.
std::string ShownUrl(std::string_view url);

enum class VariableKind { kBool, kInteger, kSeconds, kChoice, kUrl, kText, kAddress };
enum class Secrecy { kPlain, kSecret };

using ConfigField =
    std::variant<bool Config::*, std::optional<bool> Config::*, std::int64_t Config::*,
                 Duration Config::*, std::string Config::*, HostPort Config::*>;

// One row of the table.
struct Variable {
  std::string_view group = {};
  std::string_view name = {};
  VariableKind kind = VariableKind::kText;
  ConfigField field = {};
  std::string_view default_text = {};  // parsed like a value; empty: none
  std::string_view meaning = {};
  double min = 0, max = 0;        // of kInteger and kSeconds
  std::string_view choices = {};  // of kChoice: "a|b"; of kUrl: the schemes
  Secrecy secrecy = Secrecy::kPlain;
  std::string_view default_note = {};  // shown instead of default_text
};
std::span<const Variable> Variables();
// Variables that start with this are handed to librdkafka: SAFFRON_KAFKA_SECURITY_PROTOCOL is
// "security.protocol".
inline constexpr std::string_view kKafkaPrefix = "SAFFRON_KAFKA_";

using Environment = std::map<std::string, std::string, std::less<>>;
Environment ProcessEnvironment();

struct Setting {
  const Variable* variable;
  std::string value;  // "***" for a secret that is set, and in a URL for its password
  bool from_environment = false;
};

struct LoadedConfig {
  Config config;
  std::vector<Setting> settings;      // in the order of the table
  std::vector<std::string> warnings;  // of names that are nearly right
};

// A variable that is set to nothing counts as unset. kInvalid: a line for each bad value, naming
// variable, value (never a secret's) and what is allowed.
Result<LoadedConfig> LoadConfig(const Environment& environment);

// What a process refuses to start with: settings that contradict each other. kInvalid, a line for
// each.
Status CheckServable(const Config& config);
// For a command that runs one service alone: the embedded engines belong to one process. kInvalid
// names the variables to set.
Status CheckSingleService(const Config& config, Service service);

// Reports of `saffron config`.
std::string ConfigAsText(const LoadedConfig& loaded);
std::string ConfigAsJson(const LoadedConfig& loaded);
// The reference page; the same for every environment.
std::string ConfigAsMarkdown();
// "an integer from 1 to 64"
std::string AllowedText(const Variable& variable);

}  // namespace saffron
