#include "testing/steps/store_with_faults.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <utility>

namespace saffron {
namespace {

// Beyond the shortest reservation, 1 s: what is slow or late may meet a tombstone.
constexpr std::uint32_t kLongestDelayMs = 1500;
constexpr std::string_view kSilentWhile = "silent-while:";
constexpr std::string_view kRefusesWhile = "refuses-while:";

bool IsThere(const std::string& path) { return !path.empty() && std::filesystem::exists(path); }

}  // namespace

Result<StoreFaults> StoreFaults::Parse(const std::string& text) {
  StoreFaults faults;
  if (text == "ignores-conditions") {
    faults.ignores_conditions = true;
    return faults;
  }
  if (text.starts_with(kSilentWhile)) {
    faults.silent_while = text.substr(kSilentWhile.size());
    return faults;
  }
  if (text.starts_with(kRefusesWhile)) {
    faults.refuses_while = text.substr(kRefusesWhile.size());
    return faults;
  }
  const std::size_t colon = text.find(':');
  if (colon == std::string::npos) return Invalid("SAFFRON_STORE_FAULTS=" + text);
  faults.seed = std::strtoull(text.c_str(), nullptr, 10);
  faults.per_mille = static_cast<std::uint32_t>(std::atoi(text.c_str() + colon + 1));
  return faults;
}

StoreWithFaults::~StoreWithFaults() {
  for (std::thread& write : late_) write.join();
  std::fprintf(stderr, "store faults:");
  for (std::size_t i = 0; i < drawn_.size(); ++i)
    std::fprintf(stderr, " %s=%d", kNames[i], drawn_[i]);
  std::fprintf(stderr, "\n");
}

std::uint32_t StoreWithFaults::Below(std::uint32_t bound) {
  std::lock_guard<std::mutex> held(mutex_);
  return random_.Below(bound);
}

StoreWithFaults::Fault StoreWithFaults::Draw(std::uint32_t kinds) {
  if (kinds == kFaults && IsThere(faults_.silent_while)) return Fault::kLostAnswer;
  if (kinds == kFaults && IsThere(faults_.refuses_while)) return Fault::kRefused;
  std::lock_guard<std::mutex> held(mutex_);
  if (random_.Below(1000) >= faults_.per_mille) return Fault::kNone;
  const std::uint32_t kind = random_.Below(kinds);
  ++drawn_[kind];
  return static_cast<Fault>(kind);
}

void StoreWithFaults::Delay() {
  std::this_thread::sleep_for(std::chrono::milliseconds(Below(kLongestDelayMs)));
}

template <class Answer>
Answer StoreWithFaults::Write(std::function<Answer()> write) {
  switch (Draw(kFaults)) {
    case Fault::kNone: return write();
    case Fault::kRefused: return Unavailable("injected: 503 SlowDown");
    case Fault::kSlow: Delay(); return write();
    case Fault::kConflict: return UnknownOutcome("injected: 409 ConditionalRequestConflict");
    case Fault::kLostAnswer: (void)write(); return UnknownOutcome("injected: the answer is lost");
    case Fault::kLate: break;
  }
  std::lock_guard<std::mutex> held(mutex_);
  const std::chrono::milliseconds delay(random_.Below(kLongestDelayMs));
  late_.emplace_back([write = std::move(write), delay] {
    std::this_thread::sleep_for(delay);
    (void)write();
  });
  return UnknownOutcome("injected: no answer yet");
}

template <class Answer, class Call>
Answer StoreWithFaults::Read(const Call& read) {
  switch (Draw(kReadFaults)) {
    case Fault::kRefused: return Unavailable("injected: 500");
    case Fault::kSlow: Delay(); return read();
    default: return read();
  }
}

Result<std::string> StoreWithFaults::PutIfAbsent(std::string_view key, std::string_view bytes) {
  if (faults_.ignores_conditions) {
    SAFFRON_TRY(store_->Put(key, bytes));
    SAFFRON_ASSIGN(StoredObject put, store_->Get(key));
    return put.etag;
  }
  return Write<Result<std::string>>([this, key = std::string(key), bytes = std::string(bytes)] {
    return store_->PutIfAbsent(key, bytes);
  });
}

Result<std::string> StoreWithFaults::PutIfMatch(std::string_view key, std::string_view bytes,
                                                std::string_view etag) {
  if (faults_.ignores_conditions) return PutIfAbsent(key, bytes);
  return Write<Result<std::string>>(
      [this, key = std::string(key), bytes = std::string(bytes), etag = std::string(etag)] {
        return store_->PutIfMatch(key, bytes, etag);
      });
}

Status StoreWithFaults::Put(std::string_view key, std::string_view bytes) {
  return Write<Status>([this, key = std::string(key), bytes = std::string(bytes)] {
    return store_->Put(key, bytes);
  });
}

Result<StoredObject> StoreWithFaults::Get(std::string_view key) {
  return Read<Result<StoredObject>>([&] { return store_->Get(key); });
}

Result<std::string> StoreWithFaults::GetRange(std::string_view key, std::uint64_t offset_bytes,
                                              std::uint64_t length_bytes) {
  return Read<Result<std::string>>(
      [&] { return store_->GetRange(key, offset_bytes, length_bytes); });
}

Result<std::vector<std::string>> StoreWithFaults::List(std::string_view prefix,
                                                       std::string_view after, std::size_t limit) {
  return Read<Result<std::vector<std::string>>>([&] { return store_->List(prefix, after, limit); });
}

}  // namespace saffron
