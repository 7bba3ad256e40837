#include "app/wire_options.h"

namespace saffron {

S3StoreOptions S3OptionsOf(const Config& config) {
  S3StoreOptions options;
  options.endpoint_url = config.minio_endpoint_url;
  options.bucket = config.bucket;
  options.region = config.s3_region;
  options.credentials = {config.minio_access_key, config.minio_secret_key, config.s3_session_token};
  options.addressing = config.s3_addressing_style == "virtual" ? S3Addressing::kVirtual
                       : config.s3_addressing_style == "auto"  ? S3Addressing::kAuto
                                                               : S3Addressing::kPath;
  options.require_tls = config.require_tls;
  options.verify_ssl = config.ssl_verify;
  options.ca_file = config.s3_ca_file;
  return options;
}

PostgresRegistry::Options PostgresOptionsOf(const Config& config) {
  PostgresRegistry::Options options;
  options.url = config.postgres_url;
  options.schema = config.sequence_schema;
  options.handler_prefix = config.sequence_handler_prefix;
  options.pool_size = static_cast<std::size_t>(config.postgres_connections);
  return options;
}

KafkaBusOptions KafkaOptionsOf(const Config& config, std::string_view client) {
  KafkaBusOptions options;
  options.bootstrap_servers = config.kafka_bootstrap_servers;
  options.client = config.kafka_options;
  options.client_id = "saffron-" + std::string(client);
  options.replication_factor = static_cast<std::uint32_t>(config.topic_replication);
  if (config.topic_retention_hours > 0) {
    options.retention = std::chrono::hours(config.topic_retention_hours);
  }
  return options;
}

TerminusGraphOptions TerminusOptionsOf(const Config& config) {
  TerminusGraphOptions options;
  options.url = config.terminus_server_url;
  options.account = config.terminus_account;
  options.user = config.terminus_user;
  options.key = config.terminus_key;
  options.database = config.terminus_database;
  options.ca_file = config.terminus_ca_file;
  return options;
}

ElasticsearchOptions ElasticsearchOptionsOf(const Config& config) {
  ElasticsearchOptions options;
  options.url = config.elasticsearch_url;
  options.user = config.elasticsearch_user;
  options.password = config.elasticsearch_password;
  options.api_key = config.elasticsearch_api_key;
  options.ca_file = config.elasticsearch_ca_file;
  options.prefix = config.elasticsearch_prefix;
  return options;
}

}  // namespace saffron
