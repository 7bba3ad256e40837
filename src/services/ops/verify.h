// Verifier: reads the whole log from the store and compares everything derived with it.
//
//   log       every slot whole (checksums, no cache between), none absent below the head, numbers
//             dense, one outcome a command, each on its basis
//   registry  a row for every command and aggregate, equal to the fold of the log; nothing that was
//             reserved below the head unsettled
//   graph,    every aggregate as its last outcome says, nothing else; what a sink refused and dead
//   search    lettered is counted apart
//   bus       still holds what the publisher was told it holds, and that is what the log holds
//   index     every published slot is named by an entry of indexes/by-date/ that is right
//
// Runs while commands flow: the head is taken at the start, what lies above is not judged, and the
// sinks are given time to pass it. Memory is bounded (ChainFold, BusCheck, ByDateCheck); a log of
// more aggregates is read several times. One thread; changes nothing but what it is told to repair.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "eventlog/log_context.h"
#include "ports/claim_registry.h"
#include "ports/graph_store.h"
#include "ports/message_bus.h"
#include "ports/search_index.h"
#include "services/ops/bus_check.h"
#include "services/ops/by_date_check.h"
#include "services/ops/chain_fold.h"
#include "services/ops/verify_report.h"

namespace saffron {

struct VerifySubjects {
  ClaimRegistry& claims;
  MessageBus& bus;
  GraphStore& graph;
  SearchIndex& search;
  EntryDigestOf entry_digest;
  // Every outcome up to and with the slot is in the search index.
  std::function<Result<bool>(SlotNumber)> search_passed;
  // Which republish the bus' contents stem from; rows of another say nothing about it.
  std::function<Result<std::uint64_t>()> republish_id;
  // The publisher's checkpoint: every slot up to it was published. 0: none was.
  std::function<Result<SlotNumber>()> published;
};

struct VerifyOptions {
  enum class Repair { kNothing, kIndex };
  SlotNumber from{1};                    // later: what lies before is not judged
  Duration patience = seconds(30);       // for what is under way to pass the head
  std::size_t max_aggregates = 500'000;  // held at once
  std::size_t max_differences = 20;      // told; all are counted
  // Above 0: only so many slots, picked at random, and what depends on one slot alone. That numbers
  // are dense, that nothing is there twice or too many, the bus and the index are not judged.
  std::uint64_t sample = 0;
  // The entries of indexes/by-date/ that are missing or wrong are written, if the log is whole.
  // Not with a sample.
  Repair repair = Repair::kNothing;
};

struct VerifyProgress {
  std::string_view phase;  // "bus", "log", "registry", "graph", "search", "repair"
  std::uint64_t done = 0;  // slots, records, rows
  std::uint64_t of = 0;    // 0: not known
};

class Verifier {
 public:
  using OnProgress = std::function<void(const VerifyProgress&)>;

  Verifier(LogContext& context, VerifySubjects subjects, VerifyOptions options,
           OnProgress progress);

  // An error is of the verification itself (a store is out of reach). Called once.
  Result<VerifyReport> Run();

 private:
  enum class Wait { kPassed, kTimedOut };
  // What a sink shows of an aggregate.
  struct Shown {
    const AggregateKey& key;
    SequenceNumber version;
    std::array<std::uint8_t, 16> digest;
  };
  struct Sink {
    std::string_view name;
    ChainFold::Seen mark;
  };

  // verify.cc
  Status FindHead();
  Result<Wait> WaitFor(const std::function<Result<bool>()>& passed);
  Status WaitForOthers();
  Status WaitForRegistry();
  Status ReadLog();
  // Null: there is none, or not a whole one; told.
  Result<SlotPtr> ReadStoredSlot(SlotNumber slot);
  void Count(const Slot& slot);
  Status CheckAll();
  void Differ(std::string where, std::string what, std::string to_do);
  void Progress(std::string_view phase, std::uint64_t done, std::uint64_t of = 0);

  // verify_registry.cc
  Status CompareCommands();
  std::string WhatOfCommand(const LoggedEvent& event, const CommandRow& row);
  void CompareState(const LoggedEvent& event, const RegistryRows& rows);
  Status CompareAggregates();
  Status CompareRow(const AggregateRow& row);
  // What is wrong with a row; nothing when only events above the head make the difference.
  Result<std::optional<std::string>> WhatOfRow(const AggregateRow& row,
                                               const ChainFold::Entry& entry);
  Result<bool> PendingIsReserved(const AggregateRow& row);
  void CountPresent(const AggregateRow& row);

  // verify_sinks.cc
  Status CompareGraph();
  Status CompareSearch();
  Status CompareShown(const Sink& sink, const Shown& shown);
  // The registry knows an outcome with at least this number, above the head.
  Result<bool> MovedOn(const AggregateKey& key, SequenceNumber version);
  Status TellUnseen(const Sink& sink);
  Result<AggregateKey> KeyAt(const Position& position);
  // Dead letters are read when first asked for, and mark the aggregates of the range.
  Result<bool> IsRefused(std::string_view sink, const AggregateKey& key, SequenceNumber number);
  Status ReadDeadLetters();
  void TakeDeadLetter(const BusRecord& letter);

  // verify_derived.cc
  Status BeginBus();
  Status CheckBusEnds(const PublishedRow& row);
  Status BeginIndex();
  Status EndDerived();

  // verify_sample.cc
  Status CheckSample();
  std::vector<SlotNumber> PickSlots();
  Status CompareLastOutcomes(const Slot& slot);

  LogContext& context_;
  VerifySubjects subjects_;
  const VerifyOptions options_;
  const OnProgress progress_;
  VerifyReport report_;
  ChainFold fold_;
  bool first_pass_ = true;
  bool log_whole_ = true;  // what the log says can be compared with
  bool registry_settled_ = true, graph_passed_ = true, search_passed_ = true;
  std::vector<SlotPtr> run_;  // slots whose rows are still to be compared
  std::size_t run_events_ = 0;
  // Present databases and classes with their incarnation, for CountPresent.
  std::map<AggregateKey, SequenceNumber> alive_;
  bool letters_read_ = false;      // for the aggregates that the fold holds
  std::unique_ptr<BusCheck> bus_;  // null: not judged
  std::unique_ptr<ByDateCheck> index_;
  SlotNumber published_;
  std::uint64_t index_differences_ = 0;
};

}  // namespace saffron
