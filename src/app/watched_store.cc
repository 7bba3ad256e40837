#include "app/watched_store.h"

#include <algorithm>

namespace saffron {
namespace {

constexpr std::string_view kProbeKey = ".saffron/probe/space";

bool IsOutage(Code code) { return code == Code::kUnavailable || code == Code::kUnknownOutcome; }

}  // namespace

template <class T>
Result<T> WatchedStore::Note(Result<T> written, std::size_t size_bytes) {
  // A success says nothing about a larger one that failed: Writable finds out.
  if (!written.ok() && IsOutage(written.code())) {
    failed_bytes_.store(std::max({failed_bytes_.load(), size_bytes, std::size_t{1}}));
  }
  return written;
}

Status WatchedStore::Writable() {
  const std::size_t size_bytes = failed_bytes_.load();
  if (size_bytes == 0) return Ok();
  SAFFRON_TRY(store_->Put(kProbeKey, std::string(size_bytes, ' ')));
  SAFFRON_TRY(store_->Delete(kProbeKey));
  failed_bytes_.store(0);
  return Ok();
}

Result<std::string> WatchedStore::PutIfAbsent(std::string_view key, std::string_view bytes) {
  return Note(store_->PutIfAbsent(key, bytes), bytes.size());
}

Result<std::string> WatchedStore::PutIfMatch(std::string_view key, std::string_view bytes,
                                             std::string_view etag) {
  return Note(store_->PutIfMatch(key, bytes, etag), bytes.size());
}

Status WatchedStore::Put(std::string_view key, std::string_view bytes) {
  return Note(store_->Put(key, bytes), bytes.size());
}

}  // namespace saffron
