#include "services/oms/pending_write.h"

#include <algorithm>

namespace saffron {
namespace {

// Failures that say something about the whole request rather than about one item.
bool OfTheRequest(WriteCode code) {
  switch (code) {
    case WriteCode::kUnknownDatabase:
    case WriteCode::kUnknownClass:
    case WriteCode::kBusy:
    case WriteCode::kOntologyPending:
    case WriteCode::kUnavailable:
    case WriteCode::kUnknown: return true;
    default: return false;
  }
}

WriteCode BulkCode(const std::vector<ItemAnswer>& items) {
  WriteCode first = items.front().code;
  bool same = std::all_of(items.begin(), items.end(),
                          [first](const ItemAnswer& item) { return item.code == first; });
  return same && OfTheRequest(first) ? first : WriteCode::kAccepted;
}

}  // namespace

WriteCode WriteCodeOf(const AppendAnswer& answer, bool keyed) {
  switch (answer.code) {
    case AppendCode::kCommitted:
    case AppendCode::kDuplicate: return WriteCode::kAccepted;
    case AppendCode::kConflict: return WriteCode::kConflict;
    case AppendCode::kNotFound: return WriteCode::kNotFound;
    case AppendCode::kClassInUse: return WriteCode::kClassInUse;
    case AppendCode::kDuplicateMismatch: return WriteCode::kKeyReused;
    case AppendCode::kTooLarge: return WriteCode::kTooLarge;
    case AppendCode::kQueueFull: return WriteCode::kBusy;
    case AppendCode::kOntologyStale:
    case AppendCode::kOntologyPending: return WriteCode::kOntologyPending;
    // With a key, the wait may have been for an earlier request with the same id.
    case AppendCode::kTimedOut: return keyed ? WriteCode::kUnknown : WriteCode::kUnavailable;
    case AppendCode::kStopping: return WriteCode::kUnavailable;
    default: return WriteCode::kUnknown;
  }
}

CommandService::Pending::Pending(WriteRequest asked, WriteCompletion completion)
    : request(std::move(asked)), done(std::move(completion)), items(request.commands.size()) {
  SAFFRON_ASSERT(!request.commands.empty());
  SAFFRON_ASSERT(request.kind != WriteKind::kSingle || request.commands.size() == 1);
  answer.request_id = request.request_id;
  answer.kind = request.kind;
  answer.items.resize(items.size());
  for (std::size_t i = 0; i < items.size(); ++i) {
    answer.items[i].command_id = CommandIdOf(request, i);
    answer.items[i].expected_seq = request.commands[i].expected_seq;
  }
}

bool CommandService::Pending::settled() const {
  return std::all_of(items.begin(), items.end(),
                     [](const Item& item) { return item.state == State::kAnswered; });
}

void CommandService::Pending::Accept(std::size_t index, SequenceNumber number,
                                     const Position& position) {
  ItemAnswer& item = answer.items[index];
  item.code = WriteCode::kAccepted;
  item.number = number;
  item.position = position;
  items[index].state = State::kAnswered;
}

void CommandService::Pending::Refuse(std::size_t index, WriteCode code, std::string message) {
  answer.items[index].code = code;
  answer.items[index].message = std::move(message);
  items[index].state = State::kAnswered;
}

void CommandService::Pending::RefuseByPlan(std::size_t index, PlanRefusal refusal) {
  answer.items[index].violations = std::move(refusal.violations);
  answer.items[index].count = refusal.count;
  Refuse(index, refusal.code, std::move(refusal.message));
}

void CommandService::Pending::Take(std::size_t index, AppendAnswer from_log) {
  Item& item = items[index];
  item.state = State::kOpen;
  item.stale = from_log.code == AppendCode::kOntologyStale;
  if (item.stale) return;
  if (from_log.code == AppendCode::kOntologyPending) {
    item.blocker = std::move(from_log.blocker);
    return;
  }
  const WriteCode code = WriteCodeOf(from_log, request.keyed);
  if (code == WriteCode::kAccepted) {
    answer.items[index].duplicate = from_log.code == AppendCode::kDuplicate;
    Accept(index, from_log.items.front().number, from_log.items.front().location.position);
    return;
  }
  answer.items[index].actual_seq = from_log.actual_seq;
  answer.items[index].count = from_log.count;
  Refuse(index, code, std::move(from_log.message));
}

void CommandService::Pending::FailTransaction(std::size_t index, WriteCode code) {
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i != index) Refuse(i, WriteCode::kTransactionFailed, "");
  }
  answer.code = code;
  answer.index = index;
}

void CommandService::Pending::Finish() {
  switch (request.kind) {
    case WriteKind::kSingle: answer.code = answer.items.front().code; break;
    case WriteKind::kBulk: answer.code = BulkCode(answer.items); break;
    // A refusal was set by FailTransaction.
    case WriteKind::kTransaction:
      if (answer.items.front().code == WriteCode::kAccepted) answer.code = WriteCode::kAccepted;
      break;
  }
  WriteCompletion completion = std::move(done);
  completion(std::move(answer));
}

}  // namespace saffron
