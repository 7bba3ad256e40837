// From the log to the bus: the probe's slot, the publisher's checkpoint, the entry by date.
#include "app/commands/check_subject.h"
#include "app/json_view.h"
#include "eventlog/slot.h"
#include "services/publisher/checkpoint.h"

namespace saffron {
namespace {

constexpr const char* kNoProbe = "the probe was not accepted";
constexpr const char* kPublisherRuns =
    "is `saffron publisher` running? its /health, saffron_publisher_active and "
    "saffron_publisher_lag_slots; is the bus up?";
// How long before a slot the run that it stands in may have begun.
constexpr std::int64_t kLongestRunMs = 3'600'000;
constexpr std::size_t kPage = 1000;

// From the checkpoint itself, or what the server says of it.
Result<SlotNumber> Published(CheckSubject& subject) {
  if (subject.store != nullptr) {
    SAFFRON_ASSIGN(StoredObject object,
                   subject.store->Get(subject.config.publisher_checkpoint_key));
    SAFFRON_ASSIGN(PublisherCheckpoint checkpoint, DecodeCheckpoint(object.bytes));
    return checkpoint.shards[subject.probe.position.shard];
  }
  SAFFRON_ASSIGN(HttpResponse response, subject.api.Get("/api/v1/admin/status"));
  if (response.status != 200) return Unavailable(ErrorMessage(response));
  const auto slot = JsonView::Of(response.body)["publisher"]["slot"].Unsigned();
  if (!slot) return Unavailable("the server cannot read it");
  return SlotNumber(*slot);
}

std::string WhereOfCheckpoint(const CheckSubject& subject) {
  if (subject.store == nullptr) return "publisher in " + subject.Shown("/api/v1/admin/status");
  return subject.config.publisher_checkpoint_key + " in the object store";
}

// Of an event, in the answer of an aggregate's history; empty: it is not there.
std::string PositionIn(const std::string& history, const EventId& event) {
  for (const JsonView& logged : JsonView::Of(history)["data"]["events"].Elements()) {
    if (logged["event"]["event_id"].TextOr("") == event.ToString()) {
      return logged["position"].TextOr("");
    }
  }
  return {};
}

// Where the API, instead of the object store, is all that can be asked.
CheckItem SlotInLog(CheckSubject& subject, ItemOf item) {
  const CheckProbe& probe = subject.probe;
  const std::string path = "/api/v1/aggregates/Database/" + probe.db + "/events";
  item.LookedAt("GET " + subject.Shown(path) + ", which the server reads from the log");
  std::string position, failure;
  // A command is acknowledged before the registry knows where it lies.
  subject.WaitFor("the probe's event in the log", [&] {
    Result<HttpResponse> response = subject.api.Get(path);
    if (!response.ok()) failure = response.error().message();
    if (response.ok()) position = PositionIn(response->body, probe.create);
    return !failure.empty() || !position.empty();
  });
  if (!failure.empty()) return item.Failed(failure, "look at the health above");
  if (position.empty()) return item.Failed("the probe's event is not in it", "saffron verify");
  if (position == probe.position.ToString()) return item.Passed("at position " + position);
  return item.Failed("it lies at position " + position + ", not " + probe.position.ToString(),
                     "saffron verify");
}

// Of the probe's slot, as it lies in the store.
Result<Slot> ProbeSlot(CheckSubject& subject) {
  const Position& position = subject.probe.position;
  SAFFRON_ASSIGN(StoredObject object, subject.store->Get(SlotKey(position.shard, position.slot)));
  return DecodeSlot(std::move(object.bytes), *subject.log_of_store, position.shard, position.slot);
}

// "indexes/by-date/2026/11/24/1764000000000": below the keys of runs that begin then or later.
std::string ByDateKeyAt(WallTime at) {
  const std::string day = at.ToRfc3339();
  std::string ms = std::to_string(at.unix_ms);
  ms.insert(0, 13 - std::min<std::size_t>(13, ms.size()), '0');
  return "indexes/by-date/" + day.substr(0, 4) + "/" + day.substr(5, 2) + "/" + day.substr(8, 2) +
         "/" + ms;
}

// The last entry whose run begins at the slot or before it; empty: there is none.
Result<std::string> EntryBefore(ObjectStore& store, std::string after, SlotNumber slot) {
  std::string last;
  while (true) {
    SAFFRON_ASSIGN(std::vector<std::string> keys, store.List("indexes/by-date/", after, kPage));
    for (const std::string& key : keys) {
      // ..._{slot:020}.json
      const std::size_t begin = key.rfind('_') + 1;
      if (std::strtoull(key.c_str() + begin, nullptr, 10) > slot.value) return last;
      last = key;
    }
    if (keys.size() < kPage) return last;
    after = keys.back();
  }
}

Result<bool> EntryHolds(ObjectStore& store, const std::string& entry, const std::string& slot_key) {
  SAFFRON_ASSIGN(StoredObject object, store.Get(entry));
  for (const JsonView& slot : JsonView::Of(object.bytes)["slots"].Elements()) {
    if (slot["key"].TextOr("") == slot_key) return true;
  }
  return false;
}

}  // namespace

void NotePublished(CheckSubject& subject) {
  if (!subject.server_answered) return;
  Result<SlotNumber> published = Published(subject);
  if (published.ok()) subject.published_before = *published;
}

CheckItem SlotInStore(CheckSubject& subject) {
  const CheckProbe& probe = subject.probe;
  ItemOf item("slot_in_store", "The probe's slot is in the log");
  if (!probe.accepted) return item.NotApplicable(kNoProbe);
  if (!subject.store_is_server()) return SlotInLog(subject, std::move(item));
  const std::string key = SlotKey(probe.position.shard, probe.position.slot);
  item.LookedAt(key + " in the object store");
  if (subject.store == nullptr) {
    return item.NotApplicable("this deployment's object store was not reached");
  }
  Result<Slot> slot = ProbeSlot(subject);
  if (!slot.ok()) {
    return item.Failed(slot.error().message(),
                       "is EVENT_STORE_BUCKET the server's? saffron verify");
  }
  for (const LoggedEvent& event : slot->events) {
    if (event.envelope.event_id == probe.create) {
      return item.Passed("whole, with the probe in it");
    }
  }
  return item.Failed("the probe is not in it", "saffron verify");
}

CheckItem PublisherAdvances(CheckSubject& subject) {
  const CheckProbe& probe = subject.probe;
  ItemOf item("publisher_advances", "The publisher's checkpoint moves past the probe, never back",
              WhereOfCheckpoint(subject));
  if (!probe.accepted) return item.NotApplicable(kNoProbe);
  if (subject.store_is_server() && subject.store == nullptr) {
    return item.NotApplicable("this deployment's object store was not reached");
  }
  SlotNumber before = subject.published_before.value_or(SlotNumber()), highest = before;
  std::optional<SlotNumber> fell_to;
  std::string failure;
  const bool passed = subject.WaitFor("the publisher passes the probe", [&] {
    Result<SlotNumber> now = Published(subject);
    failure = now.ok() ? "" : now.error().message();
    if (!now.ok()) return false;
    if (*now < highest) fell_to = *now;
    highest = std::max(highest, *now);
    return fell_to.has_value() || probe.position.slot <= *now;
  });
  const auto text = [](SlotNumber slot) { return "slot " + std::to_string(slot.value); };
  if (fell_to) {
    return item.Failed("it went back from " + text(highest) + " to " + text(*fell_to),
                       "was an old checkpoint restored? one bucket, one deployment");
  }
  if (passed) return item.Passed("from " + text(before) + " to " + text(highest));
  if (!failure.empty()) return item.Failed(failure, kPublisherRuns);
  return item.Failed("it is at " + text(highest) + ", the probe in " + text(probe.position.slot),
                     kPublisherRuns);
}

CheckItem ByDateEntry(CheckSubject& subject) {
  const CheckProbe& probe = subject.probe;
  const ItemOf item("by_date_entry", "The probe's slot has its entry by date",
                    "indexes/by-date/ in the object store");
  if (!subject.store_is_server()) return item.NotApplicable("embedded: the API shows no entries");
  if (!probe.accepted) return item.NotApplicable(kNoProbe);
  if (subject.store == nullptr) {
    return item.NotApplicable("this deployment's object store was not reached");
  }
  Result<Slot> slot = ProbeSlot(subject);
  if (!slot.ok()) return item.NotApplicable("the probe's slot cannot be read");
  const std::string slot_key = SlotKey(probe.position.shard, probe.position.slot);
  WallTime from = ParseRfc3339(slot->header.reserved_at).value_or(subject.runtime.WallNow());
  from.unix_ms -= kLongestRunMs;
  std::string entry, failure = "no entry has " + slot_key;
  const bool there = subject.WaitFor("the entry by date", [&] {
    Result<std::string> last = EntryBefore(*subject.store, ByDateKeyAt(from), probe.position.slot);
    if (!last.ok()) failure = last.error().message();
    if (!last.ok() || last->empty()) return false;
    entry = *last;
    Result<bool> holds = EntryHolds(*subject.store, entry, slot_key);
    if (!holds.ok()) failure = holds.error().message();
    return holds.ok() && *holds;
  });
  if (there) return item.Passed(entry);
  return item.Failed(failure, kPublisherRuns);
}

}  // namespace saffron
