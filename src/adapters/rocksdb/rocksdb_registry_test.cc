#include "adapters/rocksdb/rocksdb_registry.h"

#include <gmock/gmock.h>
#include <rocksdb/db.h>
#include <rocksdb/file_system.h>
#include <rocksdb/perf_context.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "adapters/rocksdb/rocksdb_test_home.h"
#include "adapters/rocksdb/scan_floor.h"

namespace saffron {
namespace {

using registry_rows::Aggregate;
using registry_rows::Put;
using ::testing::HasSubstr;

const AggregateKey kOrder{AggregateType::kInstance, "db:main:Order:1"};

RegistryWrite Write(std::uint64_t number) {
  RegistryWrite write;
  write.put_aggregates = {Aggregate(kOrder, number)};
  write.put_commands = {
      registry_rows::Settled(registry_rows::Reserved(number, kOrder, number), number, 0)};
  return write;
}

std::uint64_t NumberIn(RocksdbRegistry& registry) {
  RegistryRead read;
  read.aggregates = {kOrder};
  const auto rows = registry.Read(read);
  EXPECT_TRUE(rows.ok());
  return rows.ok() && !rows->aggregates.empty() ? rows->aggregates.at(kOrder).accepted.number.value
                                                : 0;
}

// Changes one row of the default family behind the registry's back.
void Poke(const std::string& directory, const std::string& key, const std::string& value) {
  std::vector<std::string> names;
  ASSERT_TRUE(rocksdb::DB::ListColumnFamilies({}, directory, &names).ok());
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (const auto& name : names) families.emplace_back(name, rocksdb::ColumnFamilyOptions());
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* db = nullptr;
  ASSERT_TRUE(rocksdb::DB::Open({}, directory, families, &handles, &db).ok());
  EXPECT_TRUE(db->Put({}, key, value).ok());
  for (auto* handle : handles) EXPECT_TRUE(db->DestroyColumnFamilyHandle(handle).ok());
  delete db;
}

// Every append fails for want of space while `full` is set.
class FullDisk final : public rocksdb::FileSystemWrapper {
 public:
  class File final : public rocksdb::FSWritableFileOwnerWrapper {
   public:
    File(std::unique_ptr<rocksdb::FSWritableFile> file, const std::atomic<bool>& full)
        : FSWritableFileOwnerWrapper(std::move(file)), full_(full) {}
    rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                             rocksdb::IODebugContext* context) override {
      if (full_) return rocksdb::IOStatus::NoSpace("the disk is full");
      return FSWritableFileOwnerWrapper::Append(data, options, context);
    }
    rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                             const rocksdb::DataVerificationInfo& info,
                             rocksdb::IODebugContext* context) override {
      if (full_) return rocksdb::IOStatus::NoSpace("the disk is full");
      return FSWritableFileOwnerWrapper::Append(data, options, info, context);
    }

   private:
    const std::atomic<bool>& full_;
  };

  FullDisk() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}
  const char* Name() const override { return "FullDisk"; }
  rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* result,
                                    rocksdb::IODebugContext* context) override {
    std::unique_ptr<rocksdb::FSWritableFile> file;
    auto status = FileSystemWrapper::NewWritableFile(name, options, &file, context);
    if (status.ok()) result->reset(new File(std::move(file), full));
    return status;
  }

  std::atomic<bool> full{false};
};

TEST(RocksdbRegistryTest, TheIncarnationNamesBootAndFiles) {
  RocksdbTestHome one, two;
  auto incarnation = [](RocksdbTestHome& home) {
    return home.OpenRegistry()->Read(RegistryRead())->live_incarnation;
  };
  const std::string first = incarnation(one);
  EXPECT_THAT(first, ::testing::StartsWith("boot-1:"));
  EXPECT_EQ(incarnation(one), first);
  EXPECT_NE(incarnation(two), first);
  RocksdbRegistry::Options options = one.OptionsOf();
  options.boot_id.clear();
  const auto registry = RocksdbRegistry::Open(options);
  ASSERT_TRUE(registry.ok());
  std::string boot_id;
  std::getline(std::ifstream("/proc/sys/kernel/random/boot_id"), boot_id);
  EXPECT_EQ((*registry)->Read(RegistryRead())->live_incarnation, boot_id + first.substr(6));
}

TEST(RocksdbRegistryTest, ADirectoryThatIsOpenElsewhereIsNamed) {
  const RocksdbTestHome home;
  const auto registry = home.OpenRegistry();
  const auto second = RocksdbRegistry::Open(home.OptionsOf());
  ASSERT_TRUE(second.Is(Code::kUnavailable));
  EXPECT_THAT(second.error().message(), HasSubstr(home.directory()));
  EXPECT_THAT(second.error().message(), HasSubstr("another process"));
}

TEST(RocksdbRegistryTest, ANewerFormatIsRefused) {
  const RocksdbTestHome home;
  home.OpenRegistry();
  Poke(home.directory(), "format", "\x02");
  const auto opened = RocksdbRegistry::Open(home.OptionsOf());
  ASSERT_TRUE(opened.Is(Code::kInvalid));
  EXPECT_THAT(opened.error().message(), HasSubstr(home.directory()));
  EXPECT_THAT(opened.error().message(), HasSubstr("saffron rebuild registry"));
}

TEST(RocksdbRegistryTest, AnUnknownTableIsOfANewerVersion) {
  const RocksdbTestHome home;
  {
    rocksdb::Options options;
    options.create_if_missing = true;
    rocksdb::DB* db = nullptr;
    std::filesystem::create_directories(home.directory());
    ASSERT_TRUE(rocksdb::DB::Open(options, home.directory(), &db).ok());
    rocksdb::ColumnFamilyHandle* handle = nullptr;
    ASSERT_TRUE(db->CreateColumnFamily({}, "tomorrow", &handle).ok());
    ASSERT_TRUE(db->DestroyColumnFamilyHandle(handle).ok());
    delete db;
  }
  const auto opened = RocksdbRegistry::Open(home.OptionsOf());
  ASSERT_TRUE(opened.Is(Code::kInvalid));
  EXPECT_THAT(opened.error().message(), HasSubstr("tomorrow"));
}

TEST(RocksdbRegistryTest, DamagedFilesAreCorruptAndSayWhatToDo) {
  auto expect_corrupt = [](const RocksdbTestHome& home) {
    const auto opened = RocksdbRegistry::Open(home.OptionsOf());
    ASSERT_FALSE(opened.ok());
    EXPECT_EQ(opened.code(), Code::kCorrupt) << opened.error().ToString();
    EXPECT_THAT(opened.error().message(), HasSubstr(home.directory()));
    EXPECT_THAT(opened.error().message(), HasSubstr("saffron rebuild registry"));
  };
  const RocksdbTestHome control, manifest, current;
  for (auto* home : {&control, &manifest, &current}) home->OpenRegistry();
  Poke(control.directory(), "control", "nonsense");
  expect_corrupt(control);
  for (const auto& file : std::filesystem::directory_iterator(manifest.directory())) {
    if (!file.path().filename().string().starts_with("MANIFEST")) continue;
    std::filesystem::resize_file(file.path(), 40);
  }
  expect_corrupt(manifest);
  std::ofstream(current.directory() + "/CURRENT") << "nonsense";
  expect_corrupt(current);
}

TEST(RocksdbRegistryTest, AFullDiskIsUnavailableUntilThereIsSpace) {
  const RocksdbTestHome home;
  const auto disk = std::make_shared<FullDisk>();
  const auto env = rocksdb::NewCompositeEnv(disk);
  RocksdbRegistry::Options options = home.OptionsOf();
  options.env = env.get();
  {
    auto registry = RocksdbRegistry::Open(options);
    ASSERT_TRUE(registry.ok());
    ASSERT_TRUE(Put(**registry, Write(1)).ok());
    disk->full = true;
    (void)Put(**registry, Write(2));  // in memory, unless a flush was faster
    ClaimWrite claim;
    claim.put_claims = {registry_rows::Claim("worker", 1, ClaimStatus::kProcessing)};
    for (int i = 0; i < 3; ++i) {
      const Status unwritten = (*registry)->Flush();
      ASSERT_TRUE(unwritten.Is(Code::kUnavailable));
      EXPECT_THAT(unwritten.error().message(), HasSubstr("full"));
      EXPECT_TRUE(Put(**registry, Write(9)).Is(Code::kUnavailable));
      EXPECT_TRUE(Put(**registry, claim).Is(Code::kUnavailable));
    }
    EXPECT_LE(NumberIn(**registry), 2u);
    ClaimRead read;
    read.claims = {claim.put_claims[0].key};
    EXPECT_TRUE((*registry)->Read(read)->claims.empty());
    // What is acknowledged can be read, on file or not.
    EXPECT_EQ((*registry)->List(AggregateType::kInstance, "db:", "", 9)->size(), 1u);
    EXPECT_EQ((*registry)->CommandsOf(kOrder, SequenceNumber(1), SequenceNumber(9), 9)->size(), 2u);
    EXPECT_EQ((*registry)->CommandsOf(kOrder, SequenceNumber(2), SequenceNumber(9), 9)->size(), 1u);
    EXPECT_TRUE((*registry)->Undecided({}, 9).Is(Code::kUnavailable));
    disk->full = false;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    Status written = Put(**registry, Write(3));
    while (!written.ok() && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      written = Put(**registry, Write(3));
    }
    ASSERT_TRUE(written.ok()) << written.error().ToString();
    EXPECT_EQ(NumberIn(**registry), 3u);
  }
  EXPECT_EQ(NumberIn(*home.OpenRegistry()), 3u);
}

TEST(RocksdbRegistryTest, TheClockNeverGoesBack) {
  const RocksdbTestHome home;
  std::int64_t now_ms = 100;
  RocksdbRegistry::Options options = home.OptionsOf();
  options.now_ms = [&] { return now_ms; };
  const auto registry = RocksdbRegistry::Open(options);
  ASSERT_TRUE(registry.ok());
  EXPECT_EQ((*registry)->Read(RegistryRead())->now_ms, 100);
  now_ms = 50;
  EXPECT_EQ((*registry)->Read(RegistryRead())->now_ms, 100);
  now_ms = 101;
  EXPECT_EQ((*registry)->Read(RegistryRead())->now_ms, 101);
}

TEST(RocksdbRegistryTest, DescribeCountsRows) {
  const RocksdbTestHome home;
  const auto registry = home.OpenRegistry();
  RegistryWrite write;
  for (std::uint64_t i = 0; i < 50; ++i) {
    write.put_commands.push_back(
        registry_rows::Settled(registry_rows::Reserved(i, kOrder, i), i, 0));
  }
  write.put_reservations = {registry_rows::Reserve(1, 1)};
  ASSERT_TRUE(Put(*registry, write).ok());
  const RocksdbRegistry::Info info = registry->Describe();
  EXPECT_EQ(info.commands, 50u);
  EXPECT_EQ(info.undecided, 50u);
  EXPECT_EQ(info.aggregates, 0u);
  EXPECT_EQ(info.outstanding, 1u);
  EXPECT_GT(info.disk_bytes, 50u * 60);
  EXPECT_GT(info.memory_bytes, 0u);
}

// The work list is a queue: a scan must not step over all that has left it.
TEST(RocksdbRegistryTest, TheWorkListRemembersWhereItBegins) {
  constexpr std::uint64_t kDecided = 500;
  const RocksdbTestHome home;
  const auto registry = home.OpenRegistry();
  RegistryWrite settle, record;
  for (std::uint64_t i = 0; i <= kDecided; ++i) {
    settle.put_commands.push_back(
        registry_rows::Settled(registry_rows::Reserved(i, kOrder, i), i + 1, 0));
    if (i < kDecided) {
      record.put_commands.push_back(registry_rows::Recorded(settle.put_commands[i], 9999, 0));
    }
  }
  ASSERT_TRUE(Put(*registry, settle).ok());
  ASSERT_TRUE(registry->Flush().ok());  // or they would never reach the list on file
  ASSERT_TRUE(Put(*registry, record).ok());
  rocksdb::SetPerfLevel(rocksdb::PerfLevel::kEnableCount);
  auto skipped_by_a_scan = [&] {
    rocksdb::get_perf_context()->Reset();
    const auto rows = registry->Undecided({}, 10);
    EXPECT_TRUE(rows.ok() && rows->size() == 1);
    return rocksdb::get_perf_context()->internal_delete_skipped_count;
  };
  EXPECT_EQ(skipped_by_a_scan(), kDecided);
  EXPECT_EQ(skipped_by_a_scan(), 0u);
}

TEST(RocksdbRegistryTest, AHandlerWithANulIsRefused) {
  const RocksdbTestHome home;
  const auto registry = home.OpenRegistry();
  ClaimWrite write;
  write.put_claims = {registry_rows::Claim(std::string("a\0b", 3), 1, ClaimStatus::kDone)};
  EXPECT_TRUE(Put(*registry, write).Is(Code::kInvalid));
}

TEST(ScanFloorTest, RisesToWhatAScanFoundAndFallsWithAnInsert) {
  ScanFloor floor;
  ScanFloor::Start scan = floor.BeginScan();
  EXPECT_EQ(scan.floor, "");
  EXPECT_TRUE(scan.raises);
  EXPECT_FALSE(floor.BeginScan().raises);
  floor.EndScan("m");
  EXPECT_EQ(floor.BeginScan().floor, "m");
  floor.EndScan(std::nullopt);
  floor.BeginInsert("c");
  floor.EndInsert();
  EXPECT_EQ(floor.BeginScan().floor, "c");
  floor.EndScan("d");
  EXPECT_EQ(floor.BeginScan().floor, "d");
}

TEST(ScanFloorTest, AnInsertBesideTheScanIsNotPassed) {
  ScanFloor floor;
  floor.BeginInsert("c");  // not yet written when the scan takes its snapshot
  floor.BeginScan();
  floor.EndInsert();
  floor.EndScan("m");
  EXPECT_EQ(floor.BeginScan().floor, "c");
  floor.BeginInsert("b");  // after the scan took its snapshot
  floor.EndInsert();
  floor.EndScan("m");
  EXPECT_EQ(floor.BeginScan().floor, "b");
}

}  // namespace
}  // namespace saffron
