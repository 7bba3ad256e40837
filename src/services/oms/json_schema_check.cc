#include "services/oms/json_schema_check.h"

namespace saffron {
namespace {

using simdjson::dom::element;
using simdjson::dom::element_type;

std::string_view TypeName(element value) {
  switch (value.type()) {
    case element_type::OBJECT: return "object";
    case element_type::ARRAY: return "array";
    case element_type::STRING: return "string";
    case element_type::BOOL: return "boolean";
    case element_type::NULL_VALUE: return "null";
    case element_type::DOUBLE: return "number";
    default: return "integer";
  }
}

class Checker {
 public:
  explicit Checker(element schemas) : schemas_(schemas) {}

  std::string Check(element schema, element value, const std::string& at) {
    std::string_view reference;
    if (schema["$ref"].get(reference) == simdjson::SUCCESS) {
      element target;
      std::string_view name = reference.substr(reference.rfind('/') + 1);
      if (schemas_[name].get(target) != simdjson::SUCCESS) {
        return at + ": no schema " + std::string(name);
      }
      return Check(target, value, at);
    }
    if (std::string wrong = CheckType(schema, value, at); !wrong.empty()) return wrong;
    if (value.is_object()) return CheckObject(schema, value, at);
    element items;
    if (!value.is_array() || schema["items"].get(items) != simdjson::SUCCESS) return "";
    std::size_t index = 0;
    for (element child : value.get_array()) {
      std::string wrong = Check(items, child, at + "/" + std::to_string(index++));
      if (!wrong.empty()) return wrong;
    }
    return "";
  }

 private:
  std::string CheckType(element schema, element value, const std::string& at) {
    element allowed;
    if (schema["enum"].get(allowed) == simdjson::SUCCESS) {
      for (element one : allowed.get_array()) {
        if (simdjson::minify(one) == simdjson::minify(value)) return "";
      }
      return at + ": not one of " + simdjson::minify(allowed);
    }
    if (schema["type"].get(allowed) != simdjson::SUCCESS) return "";
    std::string_view type = TypeName(value);
    auto fits = [type](std::string_view wanted) {
      return wanted == type || (wanted == "number" && type == "integer");
    };
    if (allowed.is_string()) {
      if (fits(allowed.get_string().value_unsafe())) return "";
    } else {
      for (element one : allowed.get_array()) {
        if (fits(one.get_string().value_unsafe())) return "";
      }
    }
    return at + ": is " + std::string(type) + ", not " + simdjson::minify(allowed);
  }

  std::string CheckObject(element schema, element value, const std::string& at) {
    element required, properties;
    if (schema["required"].get(required) == simdjson::SUCCESS) {
      for (element name : required.get_array()) {
        element child;
        if (value[name.get_string().value_unsafe()].get(child) != simdjson::SUCCESS) {
          return at + ": lacks " + simdjson::minify(name);
        }
      }
    }
    const bool known = schema["properties"].get(properties) == simdjson::SUCCESS;
    bool closed = false;
    if (schema["additionalProperties"].get(closed) == simdjson::SUCCESS) closed = !closed;
    for (auto member : value.get_object()) {
      element child;
      const bool has = known && properties[member.key].get(child) == simdjson::SUCCESS;
      if (!has && closed) return at + ": has " + std::string(member.key);
      if (!has) continue;
      std::string wrong = Check(child, member.value, at + "/" + std::string(member.key));
      if (!wrong.empty()) return wrong;
    }
    return "";
  }

  element schemas_;
};

}  // namespace

std::string SchemaProblem(element schemas, std::string_view schema_name, element value) {
  element schema;
  if (schemas[schema_name].get(schema) != simdjson::SUCCESS) {
    return "no schema " + std::string(schema_name);
  }
  return Checker(schemas).Check(schema, value, "");
}

}  // namespace saffron
