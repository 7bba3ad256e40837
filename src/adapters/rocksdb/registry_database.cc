#include "adapters/rocksdb/registry_database.h"

#include <algorithm>
#include <filesystem>
#include <random>
#include <system_error>
#include <utility>

#include "adapters/rocksdb/registry_options.h"

namespace saffron {

namespace {

namespace codec = registry_codec;

constexpr std::array<std::string_view, kFamilyCount> kNames = {
    "default", "aggregates",  "commands", "by_aggregate", "undecided", "reservations",
    "claims",  "open_claims", "parked",   "leases",       "published", "claim_journal",
};
constexpr std::string_view kFormatKey = "format";
constexpr std::string_view kIdentityKey = "identity";
constexpr std::string_view kControlKey = "control";
constexpr std::chrono::milliseconds kResumeInterval{200};

Uuid NewIdentity() {
  std::random_device device;
  auto bits = [&] { return std::uint64_t{device()} << 32 | device(); };
  const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::system_clock::now().time_since_epoch());
  return Uuid::FromTime(now.count(), bits(), bits());
}

bool IsLockFailure(const rocksdb::Status& status) {
  return status.IsIOError() && status.ToString().find("/LOCK") != std::string::npos;
}

}  // namespace

std::string_view FamilyName(Family family) { return kNames[static_cast<std::size_t>(family)]; }

Error RegistryDatabase::NeedsRebuild(std::string_view what) const {
  return Corrupt("registry in " + directory_ + ": " + std::string(what) +
                 "; run `saffron rebuild registry` to make it again from the log");
}

Error RegistryDatabase::BadRow(Family family) const {
  return NeedsRebuild("a row of " + std::string(FamilyName(family)) + " does not parse");
}

Error RegistryDatabase::ReadFailure(const rocksdb::Status& status) const {
  if (status.IsCorruption()) return NeedsRebuild(status.ToString());
  return Unavailable("registry in " + directory_ + ": " + status.ToString());
}

Error RegistryDatabase::OpenFailure(const rocksdb::Status& status) const {
  if (IsLockFailure(status)) {
    return Unavailable("registry in " + directory_ +
                       " is open in another process (LOCK file): " + status.ToString());
  }
  if (status.IsInvalidArgument() || status.IsNotSupported()) {
    return NeedsRebuild(status.ToString());
  }
  return ReadFailure(status);
}

Result<std::unique_ptr<RegistryDatabase>> RegistryDatabase::Open(const Options& options) {
  std::unique_ptr<RegistryDatabase> database(new RegistryDatabase(options.directory));
  SAFFRON_TRY(database->OpenFiles(options));
  SAFFRON_TRY(database->LoadIdentity());
  return database;
}

RegistryDatabase::~RegistryDatabase() {
  if (db_ == nullptr) return;
  for (auto* handle : handles_) db_->DestroyColumnFamilyHandle(handle).PermitUncheckedError();
  db_->Close().PermitUncheckedError();
}

// A family that this version does not know was made by a newer one.
Status RegistryDatabase::CheckFamilies(const rocksdb::Options& options) const {
  if (!options.env->FileExists(directory_ + "/CURRENT").ok()) return Ok();  // to be made
  std::vector<std::string> present;
  const rocksdb::Status listed = rocksdb::DB::ListColumnFamilies(options, directory_, &present);
  if (!listed.ok()) return OpenFailure(listed);
  for (const auto& name : present) {
    if (std::find(kNames.begin(), kNames.end(), name) != kNames.end()) continue;
    return Invalid("registry in " + directory_ + " holds the unknown table " + name +
                   ", made by a newer version: start that version, or run `saffron rebuild "
                   "registry` with this one");
  }
  return Ok();
}

Status RegistryDatabase::OpenFiles(const Options& options) {
  std::error_code error;
  std::filesystem::create_directories(directory_, error);
  if (error) return Unavailable("registry: cannot make " + directory_ + ": " + error.message());
  const rocksdb::Options all(RegistryDbOptions(options), {});
  SAFFRON_TRY(CheckFamilies(all));
  rocksdb::DB* db = nullptr;
  const rocksdb::Status opened =
      rocksdb::DB::Open(all, directory_, RegistryFamilies(options), &handles_, &db);
  if (!opened.ok()) return OpenFailure(opened);
  db_.reset(db);
  // Compaction catches up later; what waits for it is bounded by RocksDB's own stall triggers.
  (void)db_->GetEnv()->LowerThreadPoolCPUPriority(rocksdb::Env::Priority::LOW,
                                                  rocksdb::CpuPriority::kLow);
  return Ok();
}

Status RegistryDatabase::LoadIdentity() {
  std::string format, identity;
  const rocksdb::ReadOptions read;
  const rocksdb::Status found =
      db_->Get(read, Handle(Family::kControl), AsSlice(kFormatKey), &format);
  if (found.IsNotFound()) return Create();
  if (!found.ok()) return ReadFailure(found);
  if (format.size() != 1) return NeedsRebuild("its format mark does not parse");
  if (const auto number = static_cast<std::uint8_t>(format[0]); number != codec::kFormat) {
    return Invalid("registry in " + directory_ + " has format " + std::to_string(number) +
                   ", this version knows " + std::to_string(codec::kFormat) +
                   ": start the version that wrote it, or run `saffron rebuild registry`");
  }
  const rocksdb::Status read_identity =
      db_->Get(read, Handle(Family::kControl), AsSlice(kIdentityKey), &identity);
  if (!read_identity.ok() && !read_identity.IsNotFound()) return ReadFailure(read_identity);
  const auto parsed = Uuid::FromBytes(identity);
  if (!parsed) return NeedsRebuild("its identity does not parse");
  identity_ = *parsed;
  return Ok();
}

Status RegistryDatabase::Create() {
  std::unique_ptr<rocksdb::Iterator> rows(
      db_->NewIterator(rocksdb::ReadOptions(), Handle(Family::kAggregates)));
  rows->SeekToFirst();
  if (rows->Valid()) return NeedsRebuild("its format mark is gone");
  if (!rows->status().ok()) return ReadFailure(rows->status());
  identity_ = NewIdentity();
  std::string control;
  codec::AppendControl({}, control);
  const char format = static_cast<char>(codec::kFormat);
  rocksdb::WriteBatch batch;
  auto* family = Handle(Family::kControl);
  batch.Put(family, AsSlice(kFormatKey), rocksdb::Slice(&format, 1)).PermitUncheckedError();
  batch.Put(family, AsSlice(kIdentityKey), AsSlice(identity_.bytes())).PermitUncheckedError();
  batch.Put(family, AsSlice(kControlKey), control).PermitUncheckedError();
  return Write(batch);
}

Status RegistryDatabase::ResumeIfPaused() {
  std::lock_guard lock(paused_mutex_);
  if (!paused_because_) return Ok();
  const auto now = std::chrono::steady_clock::now();
  if (now - resume_tried_ < kResumeInterval) return Unavailable(*paused_because_);
  resume_tried_ = now;
  const rocksdb::Status resumed = db_->Resume();
  if (!resumed.ok()) return Unavailable(*paused_because_);
  paused_because_.reset();
  return Ok();
}

Status RegistryDatabase::Write(rocksdb::WriteBatch& batch) {
  SAFFRON_TRY(ResumeIfPaused());
  const rocksdb::Status status = db_->Write(rocksdb::WriteOptions(), &batch);
  if (status.ok()) return Ok();
  const std::string why = "registry in " + directory_ + ": " + status.ToString();
  std::lock_guard lock(paused_mutex_);
  paused_because_ = why;
  if (status.IsNoSpace()) return Unavailable(why);
  return UnknownOutcome(why);
}

}  // namespace saffron
