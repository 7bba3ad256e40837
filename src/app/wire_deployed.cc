// The engines of a deployment as they are found, for who only looks.
#include "app/serve.h"
#include "app/wire.h"
#include "app/wire_options.h"

namespace saffron {
namespace {

class WiredEngines final : public DeployedEngines {
 public:
  WiredEngines(const Config& config, Runtime& runtime)
      : config_(config), runtime_(runtime), log_(CommandLog(config_, runtime)) {}

  Result<std::unique_ptr<ObjectStore>> OpenStore() override {
    S3StoreOptions options = S3OptionsOf(config_);
    options.when_missing = WhenMissing::kRefuse;
    SAFFRON_ASSIGN(std::unique_ptr<ObjectStore> opened,
                   S3Store::Open(std::move(options), runtime_, log_));
    return opened;
  }

  // Opened in earnest only when there is nothing to make or to migrate.
  Result<DeployedRegistry> OpenRegistry() override {
    PostgresRegistry::Options options = PostgresOptionsOf(config_);
    SAFFRON_ASSIGN(PostgresRegistry::Look look, PostgresRegistry::LookAt(options, runtime_, log_));
    DeployedRegistry found{look.schema_version, look.known_version, look.tls_version, {}, {}};
    if (look.schema_version != look.known_version) return found;
    SAFFRON_ASSIGN(std::shared_ptr<PostgresRegistry> opened,
                   PostgresRegistry::Open(std::move(options), runtime_, log_));
    found.append = opened;
    found.claims = opened;
    return found;
  }

  Result<std::unique_ptr<MessageBus>> OpenBus() override {
    SAFFRON_ASSIGN(std::unique_ptr<MessageBus> opened,
                   KafkaBus::Open(runtime_, log_, nullptr, KafkaOptionsOf(config_, "check")));
    return opened;
  }

  Result<std::unique_ptr<GraphStore>> OpenGraph() override {
    TerminusGraphOptions options = TerminusOptionsOf(config_);
    options.when_missing = WhenMissing::kRefuse;
    SAFFRON_ASSIGN(std::unique_ptr<GraphStore> opened,
                   TerminusGraph::Open(std::move(options), runtime_, log_));
    return opened;
  }

  Result<std::unique_ptr<SearchIndex>> OpenSearch() override {
    ElasticsearchOptions options = ElasticsearchOptionsOf(config_);
    options.when_missing = WhenMissing::kRefuse;
    return ElasticsearchIndex::Open(std::move(options), runtime_, log_);
  }

 private:
  const Config config_;
  Runtime& runtime_;
  Log log_;
};

}  // namespace

std::unique_ptr<DeployedEngines> LookAtEngines(const Config& config, Runtime& runtime) {
  return std::make_unique<WiredEngines>(config, runtime);
}

}  // namespace saffron
