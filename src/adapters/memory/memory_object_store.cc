#include "adapters/memory/memory_object_store.h"

#include <iterator>
#include <utility>

#include "ports/object_key.h"

namespace saffron {

namespace {

Error Missing(std::string_view key) { return NotFound("no object " + std::string(key)); }

}  // namespace

std::string MemoryObjectStore::Store(std::string_view key, std::string_view bytes) {
  std::string etag = "m" + std::to_string(++writes_);
  objects_.insert_or_assign(std::string(key),
                            Object{std::make_shared<const std::string>(bytes), etag});
  return etag;
}

Result<std::string> MemoryObjectStore::PutIfAbsent(std::string_view key, std::string_view bytes) {
  SAFFRON_TRY(CheckObjectKey(key));
  std::lock_guard lock(mutex_);
  if (objects_.contains(key)) return Conflict("object " + std::string(key) + " exists");
  return Store(key, bytes);
}

Result<std::string> MemoryObjectStore::PutIfMatch(std::string_view key, std::string_view bytes,
                                                  std::string_view etag) {
  SAFFRON_TRY(CheckObjectKey(key));
  std::lock_guard lock(mutex_);
  auto found = objects_.find(key);
  if (found == objects_.end()) return Missing(key);
  if (found->second.etag != etag) {
    return Conflict("object " + std::string(key) + " has another etag");
  }
  return Store(key, bytes);
}

Status MemoryObjectStore::Put(std::string_view key, std::string_view bytes) {
  SAFFRON_TRY(CheckObjectKey(key));
  std::lock_guard lock(mutex_);
  Store(key, bytes);
  return Ok();
}

Result<StoredObject> MemoryObjectStore::Get(std::string_view key) {
  SAFFRON_TRY(CheckObjectKey(key));
  std::lock_guard lock(mutex_);
  auto found = objects_.find(key);
  if (found == objects_.end()) return Missing(key);
  return StoredObject{*found->second.bytes, found->second.etag};
}

Result<std::string> MemoryObjectStore::GetRange(std::string_view key, std::uint64_t offset_bytes,
                                                std::uint64_t length_bytes) {
  SAFFRON_TRY(CheckObjectKey(key));
  std::lock_guard lock(mutex_);
  auto found = objects_.find(key);
  if (found == objects_.end()) return Missing(key);
  const std::string& bytes = *found->second.bytes;
  if (offset_bytes > bytes.size() || length_bytes > bytes.size() - offset_bytes) {
    return saffron::Corrupt("object " + std::string(key) + " is shorter than asked for");
  }
  return bytes.substr(offset_bytes, length_bytes);
}

Result<std::vector<std::string>> MemoryObjectStore::List(std::string_view prefix,
                                                         std::string_view after,
                                                         std::size_t limit) {
  SAFFRON_TRY(CheckObjectPrefix(prefix));
  std::lock_guard lock(mutex_);
  std::vector<std::string> keys;
  auto at = after < prefix ? objects_.lower_bound(prefix) : objects_.upper_bound(after);
  for (; at != objects_.end() && keys.size() < limit && at->first.starts_with(prefix); ++at) {
    keys.push_back(at->first);
  }
  return keys;
}

Status MemoryObjectStore::Delete(std::string_view key) {
  SAFFRON_TRY(CheckObjectKey(key));
  std::lock_guard lock(mutex_);
  if (auto found = objects_.find(key); found != objects_.end()) objects_.erase(found);
  return Ok();
}

void MemoryObjectStore::Corrupt(std::string_view key, std::uint64_t bit) {
  std::lock_guard lock(mutex_);
  auto found = objects_.find(key);
  SAFFRON_ASSERT(found != objects_.end() && bit / 8 < found->second.bytes->size());
  std::string bytes = *found->second.bytes;
  bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ 1 << bit % 8);
  found->second.bytes = std::make_shared<const std::string>(std::move(bytes));
}

void MemoryObjectStore::Truncate(std::string_view key, std::size_t size_bytes) {
  std::lock_guard lock(mutex_);
  auto found = objects_.find(key);
  SAFFRON_ASSERT(found != objects_.end() && size_bytes <= found->second.bytes->size());
  found->second.bytes =
      std::make_shared<const std::string>(found->second.bytes->substr(0, size_bytes));
}

bool MemoryObjectStore::Contains(std::string_view key) const {
  std::lock_guard lock(mutex_);
  return objects_.contains(key);
}

std::string MemoryObjectStore::LastKey(std::string_view prefix) const {
  std::lock_guard lock(mutex_);
  auto above = objects_.upper_bound(std::string(prefix) + '\xff');
  if (above == objects_.begin() || !std::prev(above)->first.starts_with(prefix)) return "";
  return std::prev(above)->first;
}

MemoryObjectStore::Contents MemoryObjectStore::Snapshot() const {
  std::lock_guard lock(mutex_);
  return objects_;
}

void MemoryObjectStore::Restore(Contents contents) {
  std::lock_guard lock(mutex_);
  objects_ = std::move(contents);
}

}  // namespace saffron
