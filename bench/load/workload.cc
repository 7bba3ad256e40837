#include "bench/load/workload.h"

#include <array>

namespace saffron {
namespace {

constexpr std::string_view kKeyPlace = "################";  // 16 characters
constexpr std::string_view kQuantityPlace = "%%%";

// The finalizer of splitmix64: a bijection of 64-bit numbers.
std::uint64_t Scrambled(std::uint64_t n) {
  n += 0x9e3779b97f4a7c15;
  n = (n ^ (n >> 30)) * 0xbf58476d1ce4e5b9;
  n = (n ^ (n >> 27)) * 0x94d049bb133111eb;
  return n ^ (n >> 31);
}

std::array<char, 16> Hex(std::uint64_t n) {
  std::array<char, 16> text;
  for (std::size_t i = text.size(); i-- > 0; n >>= 4) text[i] = "0123456789abcdef"[n & 15];
  return text;
}

std::vector<std::size_t> PlacesOf(std::string_view place, const std::string& in) {
  std::vector<std::size_t> found;
  for (std::size_t at = in.find(place); at != std::string::npos; at = in.find(place, at + 1)) {
    found.push_back(at);
  }
  return found;
}

std::string Head(std::string_view method, const std::string& path, const std::string& host) {
  return std::string(method) + " " + path + " HTTP/1.1\r\nHost: " + host + "\r\n";
}

std::string Post(const std::string& path, const std::string& host, const std::string& body) {
  return Head("POST", path, host) +
         "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

// A row of an ordinary table, about 150 bytes, with one reference. The quantity is a string in
// the making only: "1%%%" becomes a number of four digits.
std::string Item() {
  return std::string(R"({"item_id":")")
             .append(kKeyPlace)
             .append(R"(","name":"Lantern, brass, two wicks","quantity":1)")
             .append(kQuantityPlace) +
         R"(,"price":19.99,"color":"amber","stored_in":"Place/P-07"})";
}

std::string Bulk(std::size_t items) {
  std::string body = R"({"instances":[)";
  for (std::size_t i = 0; i < items; ++i) body.append(i == 0 ? "" : ",").append(Item());
  return body.append("]}");
}

}  // namespace

std::optional<Workload> Workload::Make(const WorkloadOptions& options) {
  Workload workload;
  const std::string writes = "/api/v1/instances/" + options.db + "/async/" + options.class_id;
  const std::string wait = options.wait_s > 0 ? "?wait=" + std::to_string(options.wait_s) : "";
  if (options.scenario == "live") {
    workload.bytes_ = Head("GET", "/health/live", options.host) + "\r\n";
  } else if (options.scenario == "get") {
    const std::string path = "/api/v1/instance/" + options.db + "/instance/" +
                             std::string(kKeyPlace) + "?class=" + options.class_id;
    workload.bytes_ = Head("GET", path, options.host) + "\r\n";
    workload.keys_ = options.keys;
  } else if (options.scenario == "create") {
    const std::string body = std::string(R"({"data":)").append(Item()).append("}");
    workload.bytes_ = Post(writes + "/create" + wait, options.host, body);
  } else if (options.scenario == "bulk") {
    workload.bytes_ = Post(writes + "/bulk-create", options.host, Bulk(options.items));
    workload.item_count_ = options.items;
  } else {
    return std::nullopt;
  }
  workload.first_ = options.first;
  workload.key_at_ = PlacesOf(kKeyPlace, workload.bytes_);
  workload.quantity_at_ = PlacesOf(kQuantityPlace, workload.bytes_);
  return workload;
}

std::string_view Workload::Next() {
  for (std::size_t i = 0; i < key_at_.size(); ++i) {
    const std::uint64_t n = next_++;
    const auto key = Hex(Scrambled(first_ + (keys_ == 0 ? n : n % keys_)));
    Patch(key_at_[i], {key.data(), key.size()});
    if (i >= quantity_at_.size()) continue;
    const std::array<char, 3> quantity = {static_cast<char>('0' + n / 100 % 10),
                                          static_cast<char>('0' + n / 10 % 10),
                                          static_cast<char>('0' + n % 10)};
    Patch(quantity_at_[i], {quantity.data(), quantity.size()});
  }
  return bytes_;
}

}  // namespace saffron
