// `saffron config`: what is set, as text, JSON, and the reference page.
#include <algorithm>

#include "app/config.h"
#include "domain/json_text.h"

namespace saffron {
namespace {

std::string DefaultText(const Variable& variable) {
  if (!variable.default_note.empty()) return std::string(variable.default_note);
  return std::string(variable.default_text);
}

// Text for people: an unset variable shows what it falls back to.
std::string Shown(const Setting& setting) {
  if (setting.from_environment) return setting.value;
  std::string text = DefaultText(*setting.variable);
  return text.empty() ? "-" : text;
}

void AppendMember(std::string& out, std::string_view name, std::string_view value, bool first) {
  if (!first) out.push_back(',');
  json::AppendString(out, name);
  out.push_back(':');
  json::AppendString(out, value);
}

std::string MarkdownCell(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '|') out.push_back('\\');
    out.push_back(c);
  }
  return out;
}

}  // namespace

std::string ConfigAsText(const LoadedConfig& loaded) {
  std::string out;
  std::string_view group;
  for (const Setting& setting : loaded.settings) {
    if (setting.variable->group != group) {
      group = setting.variable->group;
      out.append(out.empty() ? "" : "\n").append(group).append("\n");
    }
    out.append("  ").append(setting.variable->name).append(" = ").append(Shown(setting));
    out.append(setting.from_environment ? "   (environment" : "   (default");
    std::string fallback = DefaultText(*setting.variable);
    if (setting.from_environment && !fallback.empty()) {
      out.append("; default ").append(fallback);
    }
    out.append(")\n      ").append(setting.variable->meaning).append("\n");
  }
  for (const auto& [name, value] : loaded.config.kafka_options) {
    out.append("  librdkafka ").append(name).append(" is set\n");
  }
  for (const std::string& warning : loaded.warnings) {
    out.append("\nwarning: ").append(warning).append("\n");
  }
  return out;
}

std::string ConfigAsJson(const LoadedConfig& loaded) {
  std::string out = "{\"variables\":[";
  for (const Setting& setting : loaded.settings) {
    if (out.back() == '}') out.push_back(',');
    out.push_back('{');
    AppendMember(out, "name", setting.variable->name, true);
    AppendMember(out, "value", setting.value, false);
    AppendMember(out, "origin", setting.from_environment ? "environment" : "default", false);
    AppendMember(out, "default", DefaultText(*setting.variable), false);
    AppendMember(out, "allowed", AllowedText(*setting.variable), false);
    AppendMember(out, "meaning", setting.variable->meaning, false);
    out.push_back('}');
  }
  out.append("],\"kafka_options\":[");
  for (const auto& [name, value] : loaded.config.kafka_options) {
    if (out.back() != '[') out.push_back(',');
    json::AppendString(out, name);
  }
  out.append("],\"warnings\":[");
  for (std::size_t i = 0; i < loaded.warnings.size(); ++i) {
    if (i > 0) out.push_back(',');
    json::AppendString(out, loaded.warnings[i]);
  }
  return out.append("]}\n");
}

std::string ConfigAsMarkdown() {
  std::string out =
      "# Configuration\n\n"
      "Written by `saffron config --markdown` from the table in `src/app/config_table.cc`; a test\n"
      "compares the two. `saffron config` shows what is set where you run it.\n\n"
      "A value that is not allowed stops the start with one line. A name that starts with\n"
      "`EVENT_`, `PROCESSED_` or `SAFFRON_` and is not listed here is warned about. A variable "
      "set\n"
      "to nothing counts as unset. An engine is picked by its address: set, the server is used "
      "and\n"
      "must be there; unset, its embedded twin under `SAFFRON_DATA_DIR`. Which go together:\n"
      "[operating.md](operating.md#which-engines-go-together). Of a secret nothing is shown but "
      "that\n"
      "it is set.\n";
  std::string_view group;
  for (const Variable& variable : Variables()) {
    if (variable.group != group) {
      group = variable.group;
      out.append("\n## ").append(group).append(
          "\n\n| name | default | allowed | meaning |\n|---|---|---|---|\n");
    }
    std::string fallback = DefaultText(variable);
    bool literal = variable.default_note.empty() && !fallback.empty();
    out.append("| `").append(variable.name).append("` | ");
    out.append(literal ? "`" : "").append(fallback).append(literal ? "`" : "").append(" | ");
    out.append(MarkdownCell(AllowedText(variable)));
    if (variable.secrecy == Secrecy::kSecret) out.append(" (secret)");
    out.append(" | ").append(MarkdownCell(variable.meaning)).append(" |\n");
  }
  out.append("\n## Kafka client\n\n");
  out.append("`SAFFRON_KAFKA_*` is handed to librdkafka: `SAFFRON_KAFKA_SECURITY_PROTOCOL` is\n");
  return out.append(
      "`security.protocol`. What the guarantees rest on cannot be set so; the values are never "
      "shown.\n");
}

}  // namespace saffron
