// The bytes of the embedded registry: keys that sort as the ports order their answers, and compact
// values. Every value starts with a format byte; golden bytes are kept in registry_codec_test.cc.
//
// Keys hold what the rows are found by, so values leave it out: a decoder takes the key's part
// from its caller. Numbers in keys are big endian, in values varints; times are zigzag varints.
//
//   aggregates    type, id                              -> AggregateRow
//   commands      event id (16)                         -> CommandRow
//   by_aggregate  type, id, 00, number (8), event id    -> (empty)  settled commands
//   undecided     shard (4), slot (8), ordinal (4), id  -> (empty)  settled, no outcome recorded
//   reservations  batch id (16)                         -> Reservation
//   claims        handler, 00, event id                 -> ClaimRow
//   open_claims   status, handler, 00, event id         -> (empty)  processing and failed claims
//   parked        handler, 00, type, id                 -> ParkedRow
//   leases        name                                  -> LeaseRow
//   published     shard (4), slot (8)                   -> PublishedRow
//   claim_journal number (8)                            -> claims put since the last flush
//   control       "control", "identity", "format"
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ports/append_registry.h"
#include "ports/claim_registry.h"

namespace saffron::registry_codec {

inline constexpr std::uint8_t kFormat = 1;

// The control row with the count of outstanding reservations, which every reader of it wants too.
struct ControlValue {
  RegistryControl control;
  std::uint64_t outstanding = 0;
  friend bool operator==(const ControlValue&, const ControlValue&) = default;
};

// Each appends to `out`.
void AppendAggregateKey(const AggregateKey& key, std::string& out);
void AppendByAggregatePrefix(const AggregateKey& key, std::string& out);  // up to the 00
void AppendByAggregateKey(const CommandRow& row, std::string& out);
void AppendPosition(const Position& position, std::string& out);
void AppendUndecidedKey(const CommandRow& row, std::string& out);
void AppendClaimKey(std::string_view handler, const EventId& event, std::string& out);
void AppendOpenClaimKey(ClaimStatus status, const ClaimKey& key, std::string& out);
void AppendParkKey(const ParkKey& key, std::string& out);
void AppendPublishedKey(std::uint32_t shard, SlotNumber slot, std::string& out);

void AppendControl(const ControlValue& value, std::string& out);
void AppendAggregate(const AggregateRow& row, std::string& out);
void AppendCommand(const CommandRow& row, std::string& out);
void AppendReservation(const Reservation& row, std::string& out);
void AppendClaim(const ClaimRow& row, std::string& out);
void AppendParked(const ParkedRow& row, std::string& out);
void AppendLease(const LeaseRow& row, std::string& out);
void AppendPublished(const PublishedRow& row, std::string& out);
// Claims with their keys, as one record of the journal.
void AppendJournal(const std::vector<ClaimRow>& claims, std::string& out);

// False when the bytes are not what the functions above write, whole; `out` is then unspecified.
bool ParseAggregateKey(std::string_view bytes, AggregateKey& out);
bool ParseClaimKey(std::string_view bytes, ClaimKey& out);
bool ParseParkKey(std::string_view bytes, ParkKey& out);
bool ParsePublishedKey(std::string_view bytes, std::uint32_t& shard, SlotNumber& slot);
// The event id that ends the keys of by_aggregate, undecided and open_claims.
bool ParseLastEventId(std::string_view bytes, EventId& out);

bool ParseControl(std::string_view bytes, ControlValue& out);
// These fill everything but the part that stands in the key.
bool ParseAggregate(std::string_view bytes, AggregateRow& out);
bool ParseCommand(std::string_view bytes, CommandRow& out);
bool ParseReservation(std::string_view bytes, Reservation& out);
bool ParseClaim(std::string_view bytes, ClaimRow& out);
bool ParseParked(std::string_view bytes, ParkedRow& out);
bool ParseLease(std::string_view bytes, LeaseRow& out);
bool ParsePublished(std::string_view bytes, PublishedRow& out);
bool ParseJournal(std::string_view bytes, std::vector<ClaimRow>& out);  // appends

}  // namespace saffron::registry_codec
