#include "app/commands/print_json.h"

#include "app/json_view.h"

namespace saffron {
namespace {

using json::Kind;

bool IsScalar(const JsonView& value) { return !value.Is(Kind::kObject) && !value.Is(Kind::kArray); }

void Append(std::string& out, const JsonView& value, std::size_t indent);

void AppendNamed(std::string& out, const std::string& name, const JsonView& value,
                 std::size_t indent) {
  out.append(indent, ' ').append(name);
  if (IsScalar(value)) {
    out.append(": ").append(value.TextOr(value.raw())).append("\n");
    return;
  }
  out.append(value.Members().empty() && value.Elements().empty() ? ": none\n" : ":\n");
  Append(out, value, indent + 2);
}

void Append(std::string& out, const JsonView& value, std::size_t indent) {
  for (const auto& [name, member] : value.Members()) AppendNamed(out, name, member, indent);
  for (const JsonView& element : value.Elements()) {
    if (IsScalar(element)) {
      out.append(indent, ' ').append("- ").append(element.TextOr(element.raw())).append("\n");
      continue;
    }
    std::string inner;
    Append(inner, element, indent + 2);
    if (inner.size() > indent) inner[indent] = '-';
    out.append(inner);
  }
}

}  // namespace

std::string JsonAsText(std::string_view json) {
  JsonView value = JsonView::Of(json);
  if (!value.exists()) return std::string(json);
  if (IsScalar(value)) return value.TextOr(value.raw()) + "\n";
  std::string out;
  Append(out, value, 0);
  return out;
}

}  // namespace saffron
