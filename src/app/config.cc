#include "app/config.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

extern char** environ;

namespace saffron {
namespace {

constexpr std::uint32_t kKafkaPartitions = 12;

std::vector<std::string_view> SplitChoices(std::string_view choices) {
  std::vector<std::string_view> parts;
  while (!choices.empty()) {
    std::size_t bar = choices.find('|');
    parts.push_back(choices.substr(0, bar));
    choices = bar == std::string_view::npos ? std::string_view() : choices.substr(bar + 1);
  }
  return parts;
}

std::optional<bool> ParseBool(std::string_view text) {
  for (std::string_view word : {"true", "1", "yes", "on"}) {
    if (text == word) return true;
  }
  for (std::string_view word : {"false", "0", "no", "off"}) {
    if (text == word) return false;
  }
  return std::nullopt;
}

template <class Number>
std::optional<Number> ParseNumber(std::string_view text) {
  Number value{};
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool IsUrl(std::string_view text, std::string_view schemes) {
  std::size_t colon = text.find("://");
  if (colon == std::string_view::npos || colon + 3 >= text.size()) return false;
  auto allowed = SplitChoices(schemes);
  return std::find(allowed.begin(), allowed.end(), text.substr(0, colon)) != allowed.end();
}

bool IsPrintable(std::string_view text) {
  return std::none_of(text.begin(), text.end(),
                      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

bool StoreBool(const Variable& variable, std::string_view text, Config& config) {
  auto value = ParseBool(text);
  if (!value) return false;
  if (auto* field = std::get_if<bool Config::*>(&variable.field)) {
    config.*(*field) = *value;
  } else {
    config.*std::get<std::optional<bool> Config::*>(variable.field) = *value;
  }
  return true;
}

bool StoreInteger(const Variable& variable, std::string_view text, Config& config) {
  auto value = ParseNumber<std::int64_t>(text);
  if (!value) return false;
  double number = static_cast<double>(*value);
  if (number < variable.min || number > variable.max) return false;
  config.*std::get<std::int64_t Config::*>(variable.field) = *value;
  return true;
}

bool StoreSeconds(const Variable& variable, std::string_view text, Config& config) {
  auto value = ParseNumber<double>(text);
  if (!value || !std::isfinite(*value)) return false;
  if (*value < variable.min || *value > variable.max) return false;
  config.*std::get<Duration Config::*>(variable.field) = milliseconds(std::llround(*value * 1000));
  return true;
}

bool StoreText(const Variable& variable, std::string_view text, Config& config) {
  if (!IsPrintable(text)) return false;
  if (variable.kind == VariableKind::kUrl && !IsUrl(text, variable.choices)) return false;
  if (variable.kind == VariableKind::kChoice) {
    auto allowed = SplitChoices(variable.choices);
    if (std::find(allowed.begin(), allowed.end(), text) == allowed.end()) return false;
  }
  config.*std::get<std::string Config::*>(variable.field) = std::string(text);
  return true;
}

bool StoreAddress(const Variable& variable, std::string_view text, Config& config) {
  auto value = ParseHostPort(text);
  if (!value.ok()) return false;
  config.*std::get<HostPort Config::*>(variable.field) = *value;
  return true;
}

bool Store(const Variable& variable, std::string_view text, Config& config) {
  switch (variable.kind) {
    case VariableKind::kBool: return StoreBool(variable, text, config);
    case VariableKind::kInteger: return StoreInteger(variable, text, config);
    case VariableKind::kSeconds: return StoreSeconds(variable, text, config);
    case VariableKind::kAddress: return StoreAddress(variable, text, config);
    case VariableKind::kChoice:
    case VariableKind::kUrl:
    case VariableKind::kText: return StoreText(variable, text, config);
  }
  return false;
}

std::size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row[b.size()];
}

const Variable* FindVariable(std::string_view name) {
  auto all = Variables();
  auto found =
      std::find_if(all.begin(), all.end(), [&](const Variable& v) { return v.name == name; });
  return found == all.end() ? nullptr : &*found;
}

std::string UnknownNameWarning(std::string_view name) {
  const Variable* nearest = nullptr;
  std::size_t least = name.size();
  for (const Variable& variable : Variables()) {
    std::size_t distance = EditDistance(name, variable.name);
    if (distance < least) {
      least = distance;
      nearest = &variable;
    }
  }
  std::string text(name);
  text.append(" is not a variable of Saffron");
  if (nearest != nullptr) text.append("; the nearest is ").append(nearest->name);
  return text;
}

bool IsOurs(std::string_view name) {
  return name.starts_with("EVENT_") || name.starts_with("PROCESSED_") ||
         name.starts_with("SAFFRON_");
}

// "SAFFRON_KAFKA_SECURITY_PROTOCOL" -> "security.protocol"
std::string KafkaOptionName(std::string_view name) {
  std::string option(name.substr(kKafkaPrefix.size()));
  for (char& c : option) {
    c = c == '_' ? '.' : static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  }
  return option;
}

bool IsLoopback(std::string_view host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

void Add(std::string& lines, std::string_view line) {
  if (!lines.empty()) lines.push_back('\n');
  lines.append(line);
}

void CheckContradictions(const Config& config, std::string& problems) {
  if (!config.event_sourcing) {
    Add(problems,
        "ENABLE_EVENT_SOURCING=false: there is no other mode; unset it or set it to true");
  }
  if (!config.processed_event_registry) {
    Add(problems,
        "ENABLE_PROCESSED_EVENT_REGISTRY=false: without the registry retries would be applied "
        "twice; unset it or set it to true");
  }
  if (config.heartbeat_interval >= config.lease_timeout) {
    Add(problems,
        "PROCESSED_EVENT_HEARTBEAT_INTERVAL_SECONDS must be less than "
        "PROCESSED_EVENT_LEASE_TIMEOUT_SECONDS");
  }
  if (config.reservation >= config.request_timeout) {
    Add(problems, "SAFFRON_RESERVATION_SECONDS must be less than SAFFRON_REQUEST_TIMEOUT_SECONDS");
  }
  if (config.allocator_mode == "postgres" && config.postgres_url.empty()) {
    Add(problems, "EVENT_STORE_SEQUENCE_ALLOCATOR_MODE=postgres: POSTGRES_URL is not set");
  }
  if (config.allocator_mode == "embedded" && !config.postgres_url.empty()) {
    Add(problems,
        "EVENT_STORE_SEQUENCE_ALLOCATOR_MODE=embedded: POSTGRES_URL is set and would not be used");
  }
}

// Of each engine that is a server: what it cannot do without, and what would not be used.
void CheckEngines(const Config& config, std::string& problems) {
  const bool s3 = !config.minio_endpoint_url.empty();
  if (config.require_tls && config.minio_endpoint_url.starts_with("http://")) {
    Add(problems, "EVENT_STORE_REQUIRE_TLS=true: MINIO_ENDPOINT_URL is an http:// address");
  }
  if (s3 && (config.minio_access_key.empty() || config.minio_secret_key.empty())) {
    Add(problems, "MINIO_ENDPOINT_URL is set: set MINIO_ACCESS_KEY and MINIO_SECRET_KEY too");
  }
  if (s3 && config.postgres_url.empty()) {
    Add(problems,
        "MINIO_ENDPOINT_URL is set: set POSTGRES_URL too; an embedded registry belongs to one "
        "process, and nothing would keep a second one from the bucket");
  }
  if (s3 && config.durability == "none") {
    Add(problems,
        "SAFFRON_DURABILITY=none: MINIO_ENDPOINT_URL is set, and that server decides what it "
        "syncs; unset one of them");
  }
  if (config.kafka_bootstrap_servers.empty() && !config.kafka_options.empty()) {
    Add(problems, std::string(kKafkaPrefix) +
                      "* is set: it would not be used, KAFKA_BOOTSTRAP_SERVERS is not set");
  }
  if (!config.terminus_server_url.empty() && config.terminus_key.empty()) {
    Add(problems, "TERMINUS_SERVER_URL is set: set TERMINUS_KEY too");
  }
  const bool user = !config.elasticsearch_user.empty();
  if (user != !config.elasticsearch_password.empty()) {
    Add(problems,
        "SAFFRON_ELASTICSEARCH_USER and SAFFRON_ELASTICSEARCH_PASSWORD belong together: set both "
        "or none");
  }
  if (user && !config.elasticsearch_api_key.empty()) {
    Add(problems,
        "SAFFRON_ELASTICSEARCH_API_KEY and SAFFRON_ELASTICSEARCH_USER are both set: only one of "
        "them can be used");
  }
}

void CheckTokens(const Config& config, std::string& problems) {
  bool any =
      !(config.admin_token.empty() && config.write_token.empty() && config.read_token.empty());
  if (config.require_auth.value_or(false) && !any) {
    Add(problems,
        "OMS_REQUIRE_AUTH=true: set OMS_ADMIN_TOKEN, OMS_WRITE_TOKEN or SAFFRON_READ_TOKEN");
  }
  if (!any && !config.require_auth && !config.AllEmbedded()) {
    Add(problems,
        "an engine is a server, and no token is set: set OMS_ADMIN_TOKEN, or "
        "OMS_REQUIRE_AUTH=false to serve everyone");
  } else if (!any && !config.require_auth && !IsLoopback(config.listen.host)) {
    Add(problems, "SAFFRON_LISTEN=" + config.listen.ToString() +
                      ": others can reach this address and no token is set; set OMS_ADMIN_TOKEN, "
                      "or OMS_REQUIRE_AUTH=false to serve everyone");
  }
  auto same = [&](const std::string& a, const std::string& b) { return !a.empty() && a == b; };
  if (same(config.admin_token, config.write_token) || same(config.admin_token, config.read_token) ||
      same(config.write_token, config.read_token)) {
    Add(problems,
        "OMS_ADMIN_TOKEN, OMS_WRITE_TOKEN and SAFFRON_READ_TOKEN must differ: a token says which "
        "role its bearer has");
  }
}

struct Engine {
  std::string_view variable;
  const std::string& value;
  bool needed;
};

std::vector<Engine> EnginesOf(const Config& config, const ServiceParts& parts) {
  return {{"MINIO_ENDPOINT_URL", config.minio_endpoint_url, true},
          {"POSTGRES_URL", config.postgres_url, true},
          {"KAFKA_BOOTSTRAP_SERVERS", config.kafka_bootstrap_servers, true},
          {"TERMINUS_SERVER_URL", config.terminus_server_url, parts.needs_graph()},
          {"ELASTICSEARCH_URL", config.elasticsearch_url, parts.needs_search()}};
}

std::string Showable(const Variable& variable, std::string_view value) {
  if (variable.secrecy == Secrecy::kSecret) return "***";
  if (variable.kind == VariableKind::kUrl) return ShownUrl(value);
  return std::string(value);
}

}  // namespace

bool Config::AuthRequired() const {
  return require_auth.value_or(!(admin_token.empty() && write_token.empty() && read_token.empty()));
}

std::uint32_t Config::TopicPartitions() const {
  if (topic_partitions > 0) return static_cast<std::uint32_t>(topic_partitions);
  return kafka_bootstrap_servers.empty() ? 1 : kKafkaPartitions;
}

bool Config::AllEmbedded() const {
  const auto engines = EnginesOf(*this, PartsOf(Service::kAll));
  return std::all_of(engines.begin(), engines.end(),
                     [](const Engine& engine) { return engine.value.empty(); });
}

bool Config::AllServers() const {
  const auto engines = EnginesOf(*this, PartsOf(Service::kAll));
  return std::none_of(engines.begin(), engines.end(),
                      [](const Engine& engine) { return engine.value.empty(); });
}

std::string ShownUrl(std::string_view url) {
  url = url.substr(0, url.find_first_of("?#"));
  const std::size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) return std::string(url);
  // A password may have a '/' or '@' in it, though it should not.
  const std::size_t at = url.rfind('@');
  const std::size_t colon = url.find(':', scheme + 3);
  if (at == std::string_view::npos || colon == std::string_view::npos || colon > at) {
    return std::string(url);
  }
  return std::string(url.substr(0, colon + 1)).append("***").append(url.substr(at));
}

LogLevel Config::Level() const {
  if (log_level == "debug") return LogLevel::kDebug;
  if (log_level == "warning") return LogLevel::kWarning;
  if (log_level == "error") return LogLevel::kError;
  return LogLevel::kInfo;
}

LogFormat Config::Format() const {
  return log_format == "json" ? LogFormat::kJson : LogFormat::kText;
}

Environment ProcessEnvironment() {
  Environment environment;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    std::string_view text(*entry);
    std::size_t equals = text.find('=');
    if (equals == std::string_view::npos) continue;
    environment.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return environment;
}

std::string AllowedText(const Variable& variable) {
  auto number = [](double value) {
    char text[32];
    auto end = std::to_chars(text, text + sizeof(text), value, std::chars_format::fixed).ptr;
    return std::string(text, end);
  };
  std::string range = " from " + number(variable.min) + " to " + number(variable.max);
  bool url = variable.kind == VariableKind::kUrl;
  std::string choices;
  for (std::string_view choice : SplitChoices(variable.choices)) {
    if (!choices.empty()) choices.append(url ? ":// or " : " or ");
    choices.append(choice);
  }
  switch (variable.kind) {
    case VariableKind::kBool: return "true or false";
    case VariableKind::kInteger: return "an integer" + range;
    case VariableKind::kSeconds: return "seconds" + range;
    case VariableKind::kChoice: return choices;
    case VariableKind::kUrl: return "a URL that begins with " + choices + "://";
    case VariableKind::kAddress: return "host:port";
    case VariableKind::kText: return "text";
  }
  return "";
}

Result<LoadedConfig> LoadConfig(const Environment& environment) {
  LoadedConfig loaded;
  std::string problems;
  for (const Variable& variable : Variables()) {
    auto found = environment.find(variable.name);
    bool set = found != environment.end() && !found->second.empty();
    std::string value = set ? found->second : std::string(variable.default_text);
    if (!value.empty() && !Store(variable, value, loaded.config)) {
      SAFFRON_ASSERT(set);
      Add(problems, std::string(variable.name) + "=" + Showable(variable, value) +
                        " is not allowed: " + AllowedText(variable));
    }
    if (set) value = Showable(variable, value);
    loaded.settings.push_back({&variable, std::move(value), set});
  }
  for (const auto& [name, value] : environment) {
    if (name.starts_with(kKafkaPrefix) && name.size() > kKafkaPrefix.size()) {
      if (!value.empty()) loaded.config.kafka_options.emplace(KafkaOptionName(name), value);
    } else if (IsOurs(name) && FindVariable(name) == nullptr) {
      loaded.warnings.push_back(UnknownNameWarning(name));
    }
  }
  if (!problems.empty()) return Invalid(std::move(problems));
  return loaded;
}

Status CheckServable(const Config& config) {
  std::string problems;
  CheckContradictions(config, problems);
  CheckEngines(config, problems);
  CheckTokens(config, problems);
  if (!problems.empty()) return Invalid(std::move(problems));
  return Ok();
}

Status CheckSingleService(const Config& config, Service service) {
  const ServiceParts parts = PartsOf(service);
  std::string missing;
  for (const Engine& engine : EnginesOf(config, parts)) {
    if (!engine.needed || !engine.value.empty()) continue;
    missing.append(missing.empty() ? "" : ", ").append(engine.variable);
  }
  if (!missing.empty()) {
    return Invalid("the embedded engines belong to one process, so `saffron " +
                   std::string(ServiceName(service)) + "` cannot use them: set " + missing +
                   ", or run everything in one process with `saffron serve`");
  }
  std::string problems;
  CheckContradictions(config, problems);
  CheckEngines(config, problems);
  // A worker answers nothing but health and metrics, which are open to everybody.
  if (parts.api) CheckTokens(config, problems);
  if (!problems.empty()) return Invalid(std::move(problems));
  return Ok();
}

}  // namespace saffron
