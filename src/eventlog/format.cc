#include <simdjson.h>

#include "eventlog/recovery.h"

namespace saffron {
namespace {

std::string EncodeFormat(const EventLogFormat& format) {
  return "{\"format\":" + std::to_string(kSlotFormat) + ",\"log_id\":\"" + format.log.ToString() +
         "\",\"shards\":" + std::to_string(format.shards) +
         ",\"max_outstanding_reservations\":" + std::to_string(format.max_outstanding) +
         ",\"max_event_bytes\":" + std::to_string(format.max_event_bytes) + "}\n";
}

Error Ignored(const ObjectStore& store, const std::string& what) {
  return Invalid("the object store (" + store.Describe() + ") " + what +
                 "; Saffron's commit depends on it, so this store cannot be used");
}

}  // namespace

// The format number first: a newer version may have other members.
Result<EventLogFormat> DecodeFormat(const std::string& bytes) {
  simdjson::dom::parser parser;
  simdjson::dom::element object;
  EventLogFormat format;
  std::uint64_t version = 0, shards = 0;
  std::string_view id;
  if (parser.parse(bytes).get(object) != simdjson::SUCCESS ||
      object["format"].get(version) != simdjson::SUCCESS) {
    return Corrupt(std::string(kFormatKey) + " is not readable");
  }
  if (version != kSlotFormat) {
    return Invalid(std::string(kFormatKey) + ": the log has format " + std::to_string(version) +
                   ", this program reads format " + std::to_string(kSlotFormat) +
                   ": start the version that wrote it");
  }
  bool read =
      object["log_id"].get(id) == simdjson::SUCCESS &&
      object["shards"].get(shards) == simdjson::SUCCESS &&
      object["max_outstanding_reservations"].get(format.max_outstanding) == simdjson::SUCCESS &&
      object["max_event_bytes"].get(format.max_event_bytes) == simdjson::SUCCESS;
  std::optional<Uuid> log = read ? Uuid::Parse(id) : std::nullopt;
  if (!log) return Corrupt(std::string(kFormatKey) + " is not readable");
  if (shards != 1 || format.max_outstanding < 2) {
    return Invalid(std::string(kFormatKey) + ": this program runs one shard");
  }
  format.log = LogId(*log);
  format.shards = static_cast<std::uint32_t>(shards);
  return format;
}

Status ProbeStore(ObjectStore& store, Runtime& runtime) {
  const std::string key = std::string(kProbeFolder) + runtime.NewUuid().ToString();
  SAFFRON_ASSIGN(std::string etag, store.PutIfAbsent(key, "first"));
  Result<std::string> again = store.PutIfAbsent(key, "second");
  if (again.ok()) return Ignored(store, "accepts If-None-Match and ignores it");
  if (!again.Is(Code::kConflict)) return again.error();
  SAFFRON_ASSIGN(StoredObject object, store.Get(key));
  if (object.bytes != "first") return Ignored(store, "does not read its own writes");
  Result<std::string> stale = store.PutIfMatch(key, "third", "0123456789abcdef0123456789abcdef");
  if (stale.ok()) return Ignored(store, "accepts If-Match and ignores it");
  if (!stale.Is(Code::kConflict)) return stale.error();
  SAFFRON_ASSIGN(etag, store.PutIfMatch(key, "fourth", object.etag));
  SAFFRON_ASSIGN(object, store.Get(key));
  if (object.bytes != "fourth" || object.etag != etag) {
    return Ignored(store, "does not read its own writes");
  }
  return store.Delete(key);
}

Result<EventLogFormat> OpenFormat(ObjectStore& store, Runtime& runtime, EventLogFormat wanted,
                                  bool explicit_max_event_bytes) {
  Result<StoredObject> object = store.Get(kFormatKey);
  if (object.Is(Code::kNotFound)) {
    wanted.log = LogId(runtime.NewUuid());
    Result<std::string> made = store.PutIfAbsent(kFormatKey, EncodeFormat(wanted));
    if (!made.ok() && !made.Is(Code::kConflict)) return made.error();
    object = store.Get(kFormatKey);
  }
  if (!object.ok()) return object.error();
  SAFFRON_ASSIGN(EventLogFormat format, DecodeFormat(object->bytes));
  if (explicit_max_event_bytes && wanted.max_event_bytes != format.max_event_bytes) {
    return Invalid("SAFFRON_MAX_EVENT_BYTES is " + std::to_string(wanted.max_event_bytes) +
                   ", but the log was made with " + std::to_string(format.max_event_bytes) +
                   " and keeps it; unset the variable");
  }
  return format;
}

}  // namespace saffron
