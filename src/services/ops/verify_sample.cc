// Verification of some slots, picked at random: each one whole, its rows in the registry, and what
// graph and search hold of the aggregates whose last outcome lies in it.
#include <algorithm>
#include <set>

#include "services/ops/verify.h"

namespace saffron {

std::vector<SlotNumber> Verifier::PickSlots() {
  const std::uint64_t first = report_.from.value;
  report_.sampled_of = report_.head < report_.from ? 0 : report_.head.value - first + 1;
  std::set<SlotNumber> picked;
  // Floyd's algorithm: every choice of that many slots is equally likely.
  const std::uint64_t wanted = std::min(options_.sample, report_.sampled_of);
  for (std::uint64_t above = report_.sampled_of - wanted; above < report_.sampled_of; ++above) {
    const SlotNumber slot(first + context_.runtime.RandomBelow(above + 1));
    if (!picked.insert(slot).second) picked.insert(SlotNumber(first + above));
  }
  return {picked.begin(), picked.end()};
}

Status Verifier::CheckSample() {
  const std::vector<SlotNumber> slots = PickSlots();
  std::uint64_t done = 0;
  for (SlotNumber at : slots) {
    if (context_.runtime.StopRequested()) return Cancelled("stopping");
    Progress("log", ++done, slots.size());
    SAFFRON_ASSIGN(SlotPtr slot, ReadStoredSlot(at));
    if (slot == nullptr) continue;
    Count(*slot);
    run_.push_back(slot);
    run_events_ += slot->events.size();
    SAFFRON_TRY(CompareCommands());
    if (registry_settled_) SAFFRON_TRY(CompareLastOutcomes(*slot));
  }
  return Ok();
}

// Only where the registry says that no later outcome follows: the sample would not know.
Status Verifier::CompareLastOutcomes(const Slot& slot) {
  RegistryRead read;
  for (const LoggedEvent& event : slot.events) {
    if (event.outcome) read.aggregates.push_back(event.envelope.aggregate);
  }
  if (read.aggregates.empty()) return Ok();
  SAFFRON_ASSIGN(RegistryRows rows, context_.registry.Read(read));
  std::vector<AggregateKey> last;
  fold_.Clear();
  letters_read_ = false;
  for (const LoggedEvent& event : slot.events) {
    auto row = rows.aggregates.find(event.envelope.aggregate);
    const bool is_last = event.outcome && row != rows.aggregates.end() &&
                         row->second.decided.outcome.position == event.location.position;
    if (!is_last) continue;
    fold_.Add(event);
    last.push_back(event.envelope.aggregate);
  }
  if (graph_passed_) {
    const Sink sink{"graph", ChainFold::kInGraph};
    SAFFRON_ASSIGN(auto nodes, subjects_.graph.Get(last));
    for (const auto& [key, node] : nodes) {
      ++report_.graph_nodes;
      SAFFRON_TRY(CompareShown(
          sink, {key, node.version,
                 fold_.DigestOf(key, node.version, node.lifecycle, node.scope, node.document)}));
    }
    SAFFRON_TRY(TellUnseen(sink));
  }
  if (!search_passed_) return Ok();
  const Sink sink{"search", ChainFold::kInSearch};
  std::erase_if(last, [](const AggregateKey& key) { return key.type == AggregateType::kDatabase; });
  SAFFRON_ASSIGN(auto documents, subjects_.search.Get(last));
  for (const auto& [key, document] : documents) {
    ++report_.search_documents;
    SAFFRON_TRY(CompareShown(sink, {key, document.version,
                                    fold_.DigestOf(key, document.version, document.lifecycle,
                                                   document.scope, document.document)}));
  }
  return TellUnseen(sink);
}

}  // namespace saffron
