// Lease: a name held by one owner at a time, as a row of the claim registry. It says who works;
// what makes a late owner harmless is its epoch, which the thing that it works on compares.
//
// Used by one thread. What survives a crash is the row; it runs out by the registry's clock.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "base/runtime.h"
#include "ports/claim_registry.h"

namespace saffron {

class Lease {
 public:
  // `owner` is unique to the run of the process.
  Lease(ClaimRegistry& claims, std::string name, std::string owner, Duration ttl);

  // False: another owner holds it. The epoch is then above every earlier one, and above `floor`
  // (what the thing worked on has seen: the registry may have forgotten).
  Result<bool> Take(std::uint64_t floor);
  // Whoever holds it.
  Status TakeByForce(std::uint64_t floor);
  // Take, Renew: false when it is held by another owner or at another epoch.
  Result<bool> Renew();
  // So that a successor need not wait. No effect when it is no longer ours.
  void Release();

  std::uint64_t epoch() const { return epoch_; }

 private:
  enum class Claim { kIfFree, kByForce };
  Result<bool> Write(Claim claim, std::uint64_t floor);
  Result<bool> Extend(Duration by);

  ClaimRegistry& claims_;
  const std::string name_;
  const std::string owner_;
  const Duration ttl_;
  std::uint64_t epoch_ = 0;
};

inline constexpr char kGraphWriterLease[] = "graph_writer";

// A lease that is renewed by a task of its own for as long as this lives: for a long operation of
// which one may run at a time, in whatever process. Used by one thread.
class HeldLease {
 public:
  HeldLease(Runtime& runtime, ClaimRegistry& claims, std::string name, std::string owner,
            Duration ttl);
  ~HeldLease();
  HeldLease(const HeldLease&) = delete;
  HeldLease& operator=(const HeldLease&) = delete;

  // False: another owner holds it. Once.
  Result<bool> Take();

 private:
  void RenewUntilDone();

  Runtime& runtime_;
  const Duration ttl_;
  Lease lease_;
  const std::unique_ptr<Condition> condition_;
  bool done_ = false;
  TaskGroup tasks_;
};

}  // namespace saffron
