// The rows of a read-set of either port: which statements ask for them, and what they answered.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "adapters/postgres/pool.h"
#include "adapters/postgres/rows.h"

namespace saffron::postgres {

// Only what is asked for is sent: keys that are empty cost no statement.
Pool::Plan PlanOf(std::string_view prefix, const RegistryRead& read);
Pool::Plan PlanOf(std::string_view prefix, const ClaimRead& read);

// `answers` from `first` on are those of the plan.
Result<RegistryRows> Decode(const RegistryRead& read, const std::vector<Rows>& answers,
                            std::size_t first);
Result<ClaimRows> Decode(const ClaimRead& read, const std::vector<Rows>& answers,
                         std::size_t first);

// How rows are written that were not read. They are inserted, as they are hardly ever there; when
// one is (another tool's, or nobody looked), the transaction is repeated and they are upserted.
enum class Puts { kInsert, kUpsert };
Puts NextPuts(const std::optional<Failure>& failure, Puts now);

// What is written of either port's decision on the rows.
Pool::Plan PlanOf(std::string_view prefix, const RegistryRows& rows, const RegistryWrite& write,
                  Puts puts);
Pool::Plan PlanOf(const ClaimRows& rows, const ClaimWrite& write, Puts puts);

// The highest slot that the write settles.
std::optional<SlotNumber> Settles(const RegistryRows& rows, const RegistryWrite& write);

}  // namespace saffron::postgres
