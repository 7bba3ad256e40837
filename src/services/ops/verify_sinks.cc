// Graph and search index against the log.
#include "services/ops/verify.h"

#include <charconv>

namespace saffron {
namespace {

constexpr std::size_t kPage = 1000;
constexpr std::size_t kLetters = 500;

std::string TextOf(const BusRecord& record, std::string_view header) {
  return HeaderOf(record, header).value_or("");
}

std::uint8_t MarkOf(std::string_view sink) {
  if (sink == "graph") return ChainFold::kByGraph;
  return sink == "search" ? ChainFold::kBySearch : 0;
}

std::string Number(SequenceNumber number) { return std::to_string(number.value); }

}  // namespace

Status Verifier::CompareGraph() {
  const Sink sink{"graph", ChainFold::kInGraph};
  for (AggregateType type :
       {AggregateType::kDatabase, AggregateType::kOntologyClass, AggregateType::kInstance}) {
    std::string after;
    while (true) {
      if (context_.runtime.StopRequested()) return Cancelled("stopping");
      SAFFRON_ASSIGN(std::vector<GraphNode> nodes, subjects_.graph.List(type, "", after, kPage));
      for (const GraphNode& node : nodes) {
        if (!fold_.InRange(node.key)) continue;
        ++report_.graph_nodes;
        SAFFRON_TRY(CompareShown(sink, {node.key, node.version,
                                        fold_.DigestOf(node.key, node.version, node.lifecycle,
                                                       node.scope, node.document)}));
      }
      Progress(sink.name, report_.graph_nodes);
      if (nodes.size() < kPage) break;
      after = nodes.back().key.id;
    }
  }
  return TellUnseen(sink);
}

Status Verifier::CompareSearch() {
  const Sink sink{"search", ChainFold::kInSearch};
  std::optional<AggregateKey> after;
  while (true) {
    if (context_.runtime.StopRequested()) return Cancelled("stopping");
    SAFFRON_ASSIGN(std::vector<SearchDocument> documents, subjects_.search.Scan(after, kPage));
    for (const SearchDocument& document : documents) {
      if (!fold_.InRange(document.key)) continue;
      ++report_.search_documents;
      SAFFRON_TRY(
          CompareShown(sink, {document.key, document.version,
                              fold_.DigestOf(document.key, document.version, document.lifecycle,
                                             document.scope, document.document)}));
    }
    Progress(sink.name, report_.search_documents);
    if (documents.size() < kPage) break;
    after = documents.back().key;
  }
  return TellUnseen(sink);
}

// The sink has passed the head, so an older version is a difference; a newer one must be known to
// the registry, which may settle it a moment later than the sink has folded it.
Status Verifier::CompareShown(const Sink& sink, const Shown& shown) {
  ChainFold::Entry* entry = fold_.Find(shown.key);
  if (entry == nullptr && report_.from.value > 1) return Ok();
  if (entry != nullptr) entry->seen |= sink.mark;
  const SequenceNumber decided = entry == nullptr ? SequenceNumber() : entry->decided;
  const std::string where = std::string(sink.name) + ": " + shown.key.ToString();
  const std::string rebuild = "saffron rebuild " + std::string(sink.name);
  if (shown.version == decided && entry != nullptr) {
    if (shown.digest == entry->digest) return Ok();
    Differ(where,
           "lifecycle, scope or document differ from the outcome of number " + Number(decided) +
               " at " + entry->last_outcome.ToString(),
           rebuild);
    return Ok();
  }
  if (shown.version < decided) {
    SAFFRON_ASSIGN(bool refused, IsRefused(sink.name, shown.key, decided));
    report_.refused += refused ? 1 : 0;
    if (!refused) {
      Differ(where,
             "it is at number " + Number(shown.version) + "; the log has the outcome of number " +
                 Number(decided) + " at " + entry->last_outcome.ToString(),
             rebuild);
    }
    return Ok();
  }
  if (report_.from.value > 1 && decided.value == 0) return Ok();
  SAFFRON_ASSIGN(Wait wait, WaitFor([&] { return MovedOn(shown.key, shown.version); }));
  if (wait == Wait::kTimedOut) {
    Differ(where,
           "it is at number " + Number(shown.version) + "; the log has " +
               (decided.value == 0 ? "no outcome of it" : "none above " + Number(decided)),
           rebuild);
  }
  return Ok();
}

Result<bool> Verifier::MovedOn(const AggregateKey& key, SequenceNumber version) {
  RegistryRead read;
  read.aggregates.push_back(key);
  SAFFRON_ASSIGN(RegistryRows rows, context_.registry.Read(read));
  auto found = rows.aggregates.find(key);
  return found != rows.aggregates.end() && found->second.decided.number >= version &&
         found->second.decided.outcome.position.slot > report_.head;
}

Status Verifier::TellUnseen(const Sink& sink) {
  const auto lacks = [&](const ChainFold::Entry& entry) {
    const bool elsewhere =
        sink.mark == ChainFold::kInSearch && entry.type == AggregateType::kDatabase;
    return entry.decided.value > 0 && !elsewhere;
  };
  bool any = false;
  fold_.EachUnseen(sink.mark, [&](const ChainFold::Entry& entry) { any |= lacks(entry); });
  if (!any) return Ok();
  SAFFRON_TRY(ReadDeadLetters());
  std::vector<ChainFold::Entry> missing;  // those that will be named
  fold_.EachUnseen(sink.mark, [&](const ChainFold::Entry& entry) {
    if (!lacks(entry)) return;
    if ((entry.refused & MarkOf(sink.name)) != 0) {
      ++report_.refused;
    } else if (report_.differences.size() + missing.size() < options_.max_differences) {
      missing.push_back(entry);
    } else {
      ++report_.differences_total;
    }
  });
  for (const ChainFold::Entry& entry : missing) {
    SAFFRON_ASSIGN(AggregateKey key, KeyAt(entry.last_outcome));
    Differ(std::string(sink.name) + ": " + key.ToString(),
           "it is missing; the log has the outcome of number " + Number(entry.decided) + " at " +
               entry.last_outcome.ToString(),
           "saffron rebuild " + std::string(sink.name));
  }
  return Ok();
}

Result<AggregateKey> Verifier::KeyAt(const Position& position) {
  SAFFRON_ASSIGN(SlotPtr slot, ReadSlot(context_, position.slot));
  if (position.ordinal >= slot->events.size()) return Internal("no such event in its slot");
  return slot->events[position.ordinal].envelope.aggregate;
}

Result<bool> Verifier::IsRefused(std::string_view sink, const AggregateKey& key,
                                 SequenceNumber number) {
  SAFFRON_TRY(ReadDeadLetters());
  const ChainFold::Entry* entry = fold_.Find(key);
  return entry != nullptr && entry->decided == number && (entry->refused & MarkOf(sink)) != 0;
}

void Verifier::TakeDeadLetter(const BusRecord& letter) {
  std::optional<AggregateType> type = ParseAggregateType(TextOf(letter, "aggregate_type"));
  const std::string number = TextOf(letter, "sequence_number");
  std::uint64_t value = 0;
  std::from_chars(number.data(), number.data() + number.size(), value);
  if (!type) return;
  ChainFold::Entry* entry = fold_.Find({*type, TextOf(letter, "aggregate_id")});
  if (entry == nullptr || entry->decided.value != value) return;
  entry->refused |= MarkOf(TextOf(letter, "sink"));
}

// By a group of our own that commits nothing. What the bus has lost of them is told as missing.
Status Verifier::ReadDeadLetters() {
  if (letters_read_) return Ok();
  letters_read_ = true;
  const std::string topic(kProjectionFailuresTopic);
  Result<TopicState> state = subjects_.bus.Describe(topic);
  if (state.Is(Code::kNotFound)) return Ok();
  if (!state.ok()) return state.error();
  std::map<std::uint32_t, std::uint64_t> left;
  for (std::uint32_t i = 0; i < state->end_offsets.size(); ++i) {
    if (state->end_offsets[i] > 0) left[i] = state->end_offsets[i];
  }
  SAFFRON_ASSIGN(
      std::unique_ptr<BusConsumer> consumer,
      subjects_.bus.Subscribe("verify-" + context_.runtime.NewUuid().ToString(), {topic}));
  const Instant deadline = context_.runtime.Now() + options_.patience;
  while (!left.empty() && context_.runtime.Now() < deadline) {
    if (context_.runtime.StopRequested()) return Cancelled("stopping");
    SAFFRON_ASSIGN(BusBatch batch, consumer->Poll(kLetters, milliseconds(200)));
    for (const BusRecord& record : batch.records) {
      TakeDeadLetter(record);
      auto open = left.find(record.from.partition);
      if (open != left.end() && record.offset + 1 >= open->second) left.erase(open);
    }
  }
  return Ok();
}

}  // namespace saffron
