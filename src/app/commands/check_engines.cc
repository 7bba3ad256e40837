// The engines: whether each can be reached from here, and is that of this deployment.
#include "app/commands/check_subject.h"
#include "app/json_view.h"
#include "eventlog/recovery.h"
#include "services/publisher/publisher.h"

namespace saffron {
namespace {

constexpr const char* kSameEnvironment =
    "give this command the environment variables of the deployment's processes";

// Of an engine that no variable names: it belongs to a process, whose health says how it is. The
// first of `parts` that is named there.
CheckItem FromHealth(const CheckSubject& subject, ItemOf item, const std::string& variable,
                     std::initializer_list<const char*> parts) {
  if (!subject.server_answered)
    return item.NotApplicable(variable + " is not set here, and the server does not answer");
  for (const char* part : parts) {
    auto found = subject.components.find(part);
    if (found == subject.components.end()) continue;
    item.LookedAt(subject.Shown("/health") + ", as " + variable + " is not set here");
    if (found->second == "ok") return item.Passed("its part " + found->first + " says ok");
    return item.Failed("its part " + found->first + " says " + found->second,
                       "the log of that process says why; docs/operating.md, By symptom");
  }
  return item.NotApplicable(variable + " is not set here, and the server's health names no " +
                            *parts.begin());
}

CheckItem Unreached(const ItemOf& item, const Error& error, const std::string& variables) {
  if (error.code() == Code::kNotFound) {
    return item.Failed("the server answers: " + error.message(),
                       std::string(kSameEnvironment) +
                           ", and start them: they make what is "
                           "missing");
  }
  if (error.code() == Code::kInvalid) return item.Failed(error.message(), "correct " + variables);
  return item.Failed(error.message(),
                     "is that server up, and reachable from here? else correct " + variables);
}

std::string OfLog(const LogId& log) { return "of log " + log.ToString(); }

// The id of the log that the server serves; told to the role admin.
std::optional<LogId> LogOfServer(CheckSubject& subject) {
  Result<HttpResponse> status = subject.api.Get("/api/v1/admin/status");
  if (!status.ok() || status->status != 200) return std::nullopt;
  auto id = Uuid::Parse(JsonView::Of(status->body)["log_id"].TextOr(""));
  return id ? std::optional<LogId>(LogId(*id)) : std::nullopt;
}

}  // namespace

CheckItem ObjectStoreReached(CheckSubject& subject) {
  ItemOf item("object_store", "The object store is reachable");
  if (!subject.store_is_server()) {
    return FromHealth(subject, std::move(item), "MINIO_ENDPOINT_URL", {"object_store"});
  }
  item.LookedAt("S3 bucket " + subject.config.bucket + " at " +
                ShownUrl(subject.config.minio_endpoint_url) + ", " + std::string(kFormatKey));
  const std::string variables =
      "MINIO_ENDPOINT_URL, MINIO_ACCESS_KEY, MINIO_SECRET_KEY, EVENT_STORE_BUCKET";
  Result<std::unique_ptr<ObjectStore>> store = subject.engines.OpenStore();
  if (!store.ok()) return Unreached(item, store.error(), variables);
  Result<StoredObject> object = (*store)->Get(kFormatKey);
  if (!object.ok()) return Unreached(item, object.error().Within(kFormatKey), variables);
  Result<EventLogFormat> format = DecodeFormat(object->bytes);
  if (!format.ok()) return item.Failed(format.error().message(), kSameEnvironment);
  subject.log_of_store = format->log;
  subject.store = std::move(*store);
  return item.Passed(OfLog(format->log));
}

CheckItem RegistryReached(CheckSubject& subject) {
  ItemOf item("registry", "The registry is reachable");
  if (!subject.registry_is_server()) {
    return FromHealth(subject, std::move(item), "POSTGRES_URL", {"registry"});
  }
  item.LookedAt("schema " + subject.config.sequence_schema + " at " +
                ShownUrl(subject.config.postgres_url));
  Result<DeployedRegistry> opened = subject.engines.OpenRegistry();
  if (!opened.ok()) return Unreached(item, opened.error(), "POSTGRES_URL");
  subject.registry = std::move(*opened);
  if (subject.registry.append == nullptr) return item.Passed("the server answers");
  Result<RegistryRows> rows = subject.registry.append->Read({});
  if (!rows.ok()) return Unreached(item, rows.error(), "POSTGRES_URL");
  subject.log_of_registry = rows->control.log;
  return item.Passed(OfLog(rows->control.log));
}

CheckItem BusReached(CheckSubject& subject) {
  ItemOf item("bus", "The bus is reachable");
  const std::string& servers = subject.config.kafka_bootstrap_servers;
  if (servers.empty()) {
    return FromHealth(subject, std::move(item), "KAFKA_BOOTSTRAP_SERVERS", {"publisher"});
  }
  item.LookedAt("Kafka at " + servers);
  Result<std::unique_ptr<MessageBus>> bus = subject.engines.OpenBus();
  if (!bus.ok()) return Unreached(item, bus.error(), "KAFKA_BOOTSTRAP_SERVERS, SAFFRON_KAFKA_*");
  const std::vector<TopicSpec> topics = AllTopics(1);
  for (const TopicSpec& topic : topics) {
    Result<TopicState> state = (*bus)->Describe(topic.name);
    if (state.Is(Code::kNotFound)) {
      return item.Failed("there is no topic " + topic.name,
                         "start `saffron publisher`: it makes the topics");
    }
    if (!state.ok()) return Unreached(item, state.error(), "KAFKA_BOOTSTRAP_SERVERS");
  }
  return item.Passed("all " + std::to_string(topics.size()) + " topics are there");
}

CheckItem GraphReached(CheckSubject& subject) {
  ItemOf item("graph", "The graph is reachable");
  const Config& config = subject.config;
  if (config.terminus_server_url.empty()) {
    return FromHealth(subject, std::move(item), "TERMINUS_SERVER_URL", {"graph", "graph-writer"});
  }
  item.LookedAt("TerminusDB at " + ShownUrl(config.terminus_server_url) + ", database " +
                config.terminus_database);
  const std::string variables = "TERMINUS_SERVER_URL, TERMINUS_USER, TERMINUS_KEY";
  Result<std::unique_ptr<GraphStore>> graph = subject.engines.OpenGraph();
  if (!graph.ok()) return Unreached(item, graph.error(), variables);
  Result<GraphState> state = (*graph)->State();
  if (!state.ok()) return Unreached(item, state.error(), variables);
  return item.Passed("at slot " + std::to_string(state->position.slot.value));
}

CheckItem SearchReached(CheckSubject& subject) {
  ItemOf item("search", "The search index is reachable");
  const Config& config = subject.config;
  if (config.elasticsearch_url.empty()) {
    return FromHealth(subject, std::move(item), "ELASTICSEARCH_URL", {"search", "projection"});
  }
  item.LookedAt("Elasticsearch or OpenSearch at " + ShownUrl(config.elasticsearch_url) +
                ", indexes " + config.elasticsearch_prefix + ".*");
  const std::string variables = "ELASTICSEARCH_URL, SAFFRON_ELASTICSEARCH_*";
  Result<std::unique_ptr<SearchIndex>> search = subject.engines.OpenSearch();
  if (!search.ok()) return Unreached(item, search.error(), variables);
  Result<std::string> watermark = (*search)->Watermark();
  if (!watermark.ok()) return Unreached(item, watermark.error(), variables);
  return item.Passed(watermark->empty() ? "nothing is in it yet" : "it has a watermark");
}

CheckItem OneDeployment(CheckSubject& subject) {
  const ItemOf item("one_deployment", "Server, object store and registry hold one log",
                    "log ids of /api/v1/admin/status, events/format.json, registry_control");
  subject.log_of_server = LogOfServer(subject);
  const auto& server = subject.log_of_server;
  const auto& reference = server ? server : subject.log_of_store;
  std::string told, other;
  const auto compare = [&](const char* who, const std::optional<LogId>& log) {
    if (!log) return true;
    told.append(told.empty() ? "" : ", ").append(who);
    if (log == reference) return true;
    other.append(other.empty() ? "" : ", ").append(who).append(" ").append(OfLog(*log));
    return false;
  };
  compare("the server", server);
  if (!compare("the object store", subject.log_of_store)) subject.store.reset();
  if (!compare("the registry", subject.log_of_registry)) {
    subject.registry.append.reset();
    subject.registry.claims.reset();
  }
  if (!other.empty()) {
    return item.Failed("one is " + OfLog(*reference) + ", but " + other, kSameEnvironment);
  }
  if (told.find(',') == std::string::npos) {
    return item.NotApplicable(
        "fewer than two of them can be asked from here (embedded, out of reach, or the token has "
        "not the role admin)");
  }
  return item.Passed(told + " are " + OfLog(*reference));
}

CheckItem SchemaVersion(CheckSubject& subject) {
  const ItemOf item("registry_schema", "The registry's schema is the one of this version",
                    "registry_schema in " + subject.config.sequence_schema);
  const DeployedRegistry& registry = subject.registry;
  if (!subject.registry_is_server()) {
    return item.NotApplicable(
        "the embedded registry belongs to the process, which checks it at "
        "its start");
  }
  if (registry.known_version == 0) return item.NotApplicable("the registry was not reached");
  const std::string known = std::to_string(registry.known_version);
  if (registry.schema_version == registry.known_version) return item.Passed("version " + known);
  if (registry.schema_version == 0) {
    return item.Failed("there is no registry in that schema",
                       "correct EVENT_STORE_SEQUENCE_SCHEMA, or start a process: it makes it");
  }
  return item.Failed("version " + std::to_string(registry.schema_version) +
                         ", this program knows version " + known,
                     "use one version of saffron for all processes and for this command");
}

CheckItem StoreConformance(CheckSubject& subject) {
  ItemOf item("store_conformance", "The object store keeps its word on conditions");
  if (!subject.store_is_server()) {
    return item.NotApplicable("the directory belongs to the process, which probes it at its start");
  }
  if (subject.store == nullptr) return item.NotApplicable("the object store was not reached");
  item.LookedAt("an object under .saffron/probe/, written, refused, replaced and deleted");
  Status probed = ProbeStore(*subject.store, subject.runtime);
  if (probed.ok()) return item.Passed("put-if-absent, put-if-match and read-after-write hold");
  if (probed.Is(Code::kInvalid)) {
    return item.Failed(probed.error().message(),
                       "stop writing, and use a store that does: docs/engines/s3.md");
  }
  return item.Failed(probed.error().message(), "look at the store, then check again");
}

}  // namespace saffron
