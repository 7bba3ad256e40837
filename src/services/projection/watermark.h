// How far the projection is, as it is stored with the search index. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/result.h"
#include "ports/claim_registry.h"
#include "ports/message_bus.h"

namespace saffron {

struct PartitionProgress {
  std::string topic_id;
  std::uint64_t next = 0;  // everything below is in the index
  friend bool operator==(const PartitionProgress&, const PartitionProgress&) = default;
};

struct ProjectionWatermark {
  std::string generation;          // given by the rebuild that made the index; empty: none did
  std::uint64_t republish_id = 0;  // which republish of the bus the offsets belong to
  SlotNumber slot;                 // every outcome up to and with this slot is in the index
  std::map<TopicPartition, PartitionProgress> partitions;
  friend bool operator==(const ProjectionWatermark&, const ProjectionWatermark&) = default;
};

// {"format":1,"generation":"","republish_id":0,"slot":17,
//  "partitions":[{"topic":..,"partition":0,"topic_id":..,"next":5}]}
std::string EncodeWatermark(const ProjectionWatermark& watermark);
// Of an empty text: nothing is in the index. kCorrupt when it is not a watermark.
Result<ProjectionWatermark> DecodeWatermark(std::string_view text);

// The offsets have reached what the publisher recorded: everything up to the row's slot is in the
// index. False when the row belongs to another republish, or says nothing.
bool HasPassed(const ProjectionWatermark& watermark, const PublishedRow& row);
// The republish that a row belongs to; nothing when the row says nothing.
std::optional<std::uint64_t> RepublishOf(const PublishedRow& row);

bool IsProjected(std::string_view topic);

}  // namespace saffron
