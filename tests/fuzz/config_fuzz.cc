// Environment variables. Input: a line NAME=VALUE for each.
#include "app/config.h"

#include "tests/fuzz/properties.h"
#include "tests/fuzz/reference_json.h"

namespace saffron::fuzz {
namespace {

// Names are compared with every name there is, letter by letter: longer ones only take time.
constexpr std::size_t kLongestName = 60;

Environment Read(std::string_view bytes) {
  Environment environment;
  while (!bytes.empty()) {
    const std::size_t end = std::min(bytes.find('\n'), bytes.size());
    const std::string_view line = bytes.substr(0, end);
    bytes.remove_prefix(std::min(end + 1, bytes.size()));
    const std::size_t equals = line.find('=');
    if (equals > kLongestName || line.find('\0') != std::string_view::npos) continue;
    environment.emplace(line.substr(0, equals), line.substr(equals + 1));
  }
  return environment;
}

bool IsSecret(std::string_view name) {
  for (const Variable& variable : Variables()) {
    if (variable.name == name) return variable.secrecy == Secrecy::kSecret;
  }
  return false;
}

// Every secret that is set replaced by another text of the same use.
Environment WithOtherSecrets(Environment environment) {
  int number = 0;
  for (auto& [name, value] : environment) {
    if (IsSecret(name) && !value.empty()) {
      const std::size_t colon = value.find("://");
      value = value.substr(0, colon == std::string::npos ? 0 : colon + 3) + "secret-" +
              std::to_string(++number);
    }
  }
  return environment;
}

bool SameSettings(const LoadedConfig& a, const LoadedConfig& b) {
  if (a.settings.size() != b.settings.size()) return false;
  for (std::size_t i = 0; i < a.settings.size(); ++i) {
    if (a.settings[i].value != b.settings[i].value) return false;
  }
  return true;
}

}  // namespace

void FuzzConfig(std::string_view bytes) {
  const Environment environment = Read(bytes);
  const auto loaded = LoadConfig(environment);
  if (!loaded.ok()) return Require(loaded.Is(Code::kInvalid), "a bad variable is invalid");
  (void)CheckServable(loaded->config);
  for (Service service : kSingleServices) (void)CheckSingleService(loaded->config, service);
  Require(loaded->settings.size() == Variables().size(), "every variable has a setting");
  const std::string text = ConfigAsText(*loaded), json = ConfigAsJson(*loaded);
  if (ReadJson(json) == std::nullopt) throw BrokenProperty("the report is JSON");
  // What was loaded, given as environment, is loaded again.
  Environment explicit_values;
  for (const Setting& setting : loaded->settings) {
    const bool secret = setting.variable->secrecy == Secrecy::kSecret;
    if (!secret) explicit_values.emplace(setting.variable->name, setting.value);
  }
  for (const auto& [name, value] : environment) {
    if (IsSecret(name)) explicit_values.emplace(name, value);
  }
  const auto again = LoadConfig(explicit_values);
  Require(again.ok() && SameSettings(*again, *loaded), "settings are loaded again as they are");
  // No report depends on a secret's text.
  const auto other = LoadConfig(WithOtherSecrets(environment));
  Require(other.ok(), "other secrets are as good");
  Require(ConfigAsText(*other) == text && ConfigAsJson(*other) == json, "secrets are not shown");
}

}  // namespace saffron::fuzz
