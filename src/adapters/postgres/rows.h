// The ports' rows as the tables have them. Keys go in in order and once: that is the order in which
// every transaction takes its locks.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "adapters/postgres/statements.h"
#include "adapters/postgres/values.h"
#include "ports/append_registry.h"
#include "ports/claim_registry.h"

namespace saffron::postgres {

// Of a type, in aggregate_versions.
std::string AllocatorHandler(std::string_view prefix, AggregateType type);

std::vector<Value> KeysOf(std::string_view prefix, std::vector<AggregateKey> keys);
std::vector<Value> KeysOf(std::vector<EventId> ids);
std::vector<Value> KeysOf(std::vector<BatchId> ids);
std::vector<Value> KeysOf(std::vector<ClaimKey> keys);
std::vector<Value> KeysOf(std::vector<ParkKey> keys);
std::vector<Value> KeysOf(std::vector<std::string> names);

// Of rows with one key, the last.
std::vector<Value> Encode(std::string_view prefix, const std::vector<AggregateRow>& rows,
                          std::int64_t now_ms);
std::vector<Value> Encode(const std::vector<CommandRow>& rows);
// As rows of the work list: settled ones.
std::vector<Value> EncodeUndecided(const std::vector<CommandRow>& rows);
std::vector<Value> Encode(const std::vector<Reservation>& rows);
std::vector<Value> Encode(const std::vector<ClaimRow>& rows);
std::vector<Value> Encode(const std::vector<ParkedRow>& rows);
std::vector<Value> Encode(const std::vector<LeaseRow>& rows);
// As claims, and as the last numbers of their handlers.
std::vector<Value> Encode(const std::vector<DoneClaim>& rows, std::int64_t now_ms);
std::vector<Value> EncodeConsumed(const std::vector<DoneClaim>& rows, std::int64_t now_ms);
Value EncodeEnds(const PublishedRow& row);

// kCorrupt: not what Encode writes.
Result<AggregateRow> DecodeAggregate(Fields fields);
Result<CommandRow> DecodeCommand(Fields fields);
Result<Reservation> DecodeReservation(Fields fields);
Result<ClaimRow> DecodeClaim(Fields fields);
Result<ParkedRow> DecodeParked(Fields fields);
Result<LeaseRow> DecodeLease(Fields fields);
Result<PublishedRow> DecodePublished(std::uint32_t shard, Fields fields);

std::string_view StatusName(ClaimStatus status);

}  // namespace saffron::postgres
