// Tells a simulated history as a story for people: when, which process, what it did and what became
// of it. It watches what lies in the stores change, so it knows nothing of the code under test.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/sim/pipeline_checker.h"
#include "tests/sim/pipeline_world.h"

namespace saffron {

// "update Thing:t3 if 4, create Thing:t1 [..ab12]" and "accepted as 5, 1"; ids by their ends.
std::string ShortName(const AggregateKey& key);
std::string TextOf(const WriteRequest& request);
std::string TextOf(const WriteAnswer& answer);

class Story {
 public:
  enum class Telling {
    kAtTheEnd,
    kAtOnce,  // on standard output, for a history that may not come to its end
  };
  // Listens from now on. The world outlives it; one story a world.
  Story(PipelineWorld& world, Telling telling);
  ~Story();
  Story(const Story&) = delete;
  Story& operator=(const Story&) = delete;

  // The lines so far; those of aggregates that a violation names are marked with ">>".
  std::string Tell(const Violations& violations);

 private:
  struct Line {
    Duration at;
    std::string who;
    std::string what;
    std::set<std::string> aggregates;  // their whole names
  };

  static std::string Printed(const Line& line, bool marked);
  void Hear(std::string_view who, std::string_view line);
  void Add(std::string_view who, std::string what, std::set<std::string> aggregates = {});
  // Whatever is different from what was seen last, as the doing of `who`.
  void LookAround(std::string_view who);
  void LookAtObjects(std::string_view who);
  void LookAtCheckpoint(std::string_view who, const std::string& bytes);
  void LookAtReservations(std::string_view who, const MemoryRegistry::Rows& rows);
  void LookAtAggregates(std::string_view who, const MemoryRegistry::Rows& rows);
  void LookAtClaims(std::string_view who, const MemoryRegistry::Rows& rows);
  void LookAtBus(std::string_view who);
  void LookAtSinks(std::string_view who);

  PipelineWorld& world_;
  const Telling telling_;
  std::vector<Line> lines_;
  std::map<std::string, std::string> call_of_;  // the last port call of a fiber
  // What was seen last.
  std::map<std::string, std::string> objects_;  // etags
  std::string checkpoint_;                      // what matters of it
  std::map<BatchId, Reservation> reservations_;
  RegistryControl control_;
  std::map<AggregateKey, AggregateRow> aggregates_;
  std::map<ClaimKey, ClaimRow> claims_;
  std::set<ParkKey> parked_;
  std::map<std::string, std::string> lease_owners_;
  std::map<std::string, TopicState> topics_;
  std::map<AggregateKey, SequenceNumber> nodes_, documents_;
};

}  // namespace saffron
