// The options of each engine that is a server, from the configuration.
#pragma once

#include "adapters/elasticsearch/elasticsearch_index.h"
#include "adapters/kafka/kafka_bus.h"
#include "adapters/postgres/postgres_registry.h"
#include "adapters/s3/s3_store.h"
#include "adapters/terminusdb/terminus_graph.h"
#include "app/config.h"

namespace saffron {

S3StoreOptions S3OptionsOf(const Config& config);
PostgresRegistry::Options PostgresOptionsOf(const Config& config);
KafkaBusOptions KafkaOptionsOf(const Config& config, std::string_view client);
TerminusGraphOptions TerminusOptionsOf(const Config& config);
ElasticsearchOptions ElasticsearchOptionsOf(const Config& config);

}  // namespace saffron
