// The message bus of tests and of the seeded simulation.
#pragma once

#include <cstdint>
#include <string>

#include "adapters/embedded/in_process_bus.h"

namespace saffron {

class MemoryPartitionLog;

// Topics in maps; stands for the broker, so it outlives the simulated crash of its clients. Owned
// by a test; thread-safe; Poll waits in the clock of the runtime given. Hooks do what a broker may
// do to its clients.
class MemoryBus final : public InProcessBus {
 public:
  struct Options {
    Duration session_timeout = seconds(45);
    std::size_t max_message_bytes = 2 << 20;
  };
  MemoryBus(Runtime& runtime, Options options);

  // As if deleted and made again at once: empty, with another topic id. Offsets that groups have
  // committed stay, so that only the id tells a consumer.
  void DeleteTopic(const std::string& topic);
  // Loses the records at and above `end`; their offsets will be given again.
  void Truncate(const std::string& topic, std::uint32_t partition, std::uint64_t end);
  // The group's offsets go back by so many records; whoever is assigned a partition next gets them
  // again.
  void MoveOffsetsBack(const std::string& group, std::uint64_t by);
  // Deletes the records below `earliest`, like retention.
  void DropBelow(const std::string& topic, std::uint32_t partition, std::uint64_t earliest);

 private:
  MemoryBus(Runtime& runtime, MemoryPartitionLog* log, Options options);  // owns the log
  MemoryPartitionLog& memory_;                                            // the base owns it
};

}  // namespace saffron
