// Every property over its seeds, and over mutations of them that are the same in every run.
#include <gtest/gtest.h>

#include <unistd.h>
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/random.h"
#include "tests/fuzz/properties.h"

namespace saffron::fuzz {
namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t kMutations = 3000;
constexpr std::size_t kLongestInput = 16 * 1024;

struct Target {
  const char* name;  // of its folder in corpus/
  void (*property)(std::string_view);
};

constexpr Target kTargets[] = {
    {"addresses_fuzz", FuzzAddresses},
    {"api_fuzz", FuzzApi},
    {"bus_records_fuzz", FuzzBusRecords},
    {"by_date_fuzz", FuzzByDate},
    {"checkpoint_fuzz", FuzzCheckpoint},
    {"config_fuzz", FuzzConfig},
    {"csv_fuzz", FuzzCsv},
    {"elasticsearch_fuzz", FuzzElasticsearch},
    {"envelope_fuzz", FuzzEnvelope},
    {"http_request_fuzz", FuzzHttpRequest},
    {"json_fuzz", FuzzJson},
    {"mapping_fuzz", FuzzMapping},
    {"merge_patch_fuzz", FuzzMergePatch},
    {"ontology_fuzz", FuzzOntology},
    {"postgres_rows_fuzz", FuzzPostgresRows},
    {"query_fuzz", FuzzQuery},
    {"registry_rows_fuzz", FuzzRegistryRows},
    {"s3_headers_fuzz", FuzzS3Headers},
    {"s3_xml_fuzz", FuzzS3Xml},
    {"search_fuzz", FuzzSearch},
    {"slot_fuzz", FuzzSlot},
    {"terminusdb_fuzz", FuzzTerminusdb},
    {"url_fuzz", FuzzUrl},
    {"watermark_fuzz", FuzzWatermark},
    {"write_fuzz", FuzzWrite},
};

std::string ReadWhole(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

struct Seed {
  std::string name;
  std::string bytes;
};

std::vector<Seed> SeedsOf(const Target& target) {
  std::vector<Seed> seeds;
  for (const auto& entry : fs::directory_iterator(fs::path(SAFFRON_CORPUS_DIR) / target.name)) {
    seeds.push_back({entry.path().filename().string(), ReadWhole(entry.path())});
  }
  std::sort(seeds.begin(), seeds.end(),
            [](const Seed& a, const Seed& b) { return a.name < b.name; });
  return seeds;
}

// One to four small changes, the kinds that break decoders.
std::string Mutated(std::string bytes, const std::string& other, RandomBits& random) {
  static constexpr std::string_view kPieces[] = {
      "\"",      "\\",      "{",    "}",    "[",  "]",     ",",
      ":",       "\n",      "\r\n", "0",    "-1", "1e999", "18446744073709551616",
      "\\u0000", "\\ud800", "\xff", "null", "%",  "---"};
  for (std::uint32_t step = random.Below(4) + 1; step > 0; --step) {
    const auto at = random.Below(static_cast<std::uint32_t>(bytes.size()) + 1);
    const std::size_t length = std::min<std::size_t>(random.Below(16) + 1, bytes.size() - at);
    switch (random.Below(6)) {
      case 0:
        if (at < bytes.size()) bytes[at] = static_cast<char>(bytes[at] ^ 1 << random.Below(8));
        break;
      case 1: bytes.erase(at, length); break;
      case 2: bytes.insert(at, kPieces[random.Below(std::size(kPieces))]); break;
      case 3: bytes.insert(at, bytes.substr(at, length)); break;
      case 4: bytes.resize(at); break;
      default: {
        const auto from = random.Below(static_cast<std::uint32_t>(other.size()) + 1);
        bytes.insert(at, other, from, random.Below(64));
        break;
      }
    }
  }
  bytes.resize(std::min(bytes.size(), kLongestInput));
  return bytes;
}

// What is being run, for when a property ends the program: an abort, or a sanitizer.
std::string running;

void SayWhatRan(int signal) {
  (void)!::write(STDERR_FILENO, running.data(), running.size());
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

class FuzzReplay : public testing::TestWithParam<Target> {
 protected:
  void SetUp() override {
    seeds_ = SeedsOf(GetParam());
    std::signal(SIGABRT, SayWhatRan);
  }

  // The input of a failure is kept for a debugger or `./dev fuzz`.
  void Run(const std::string& what, const std::string& bytes) {
    running = what + "\n";
    try {
      GetParam().property(bytes);
    } catch (const BrokenProperty& broken) {
      const fs::path kept = fs::temp_directory_path() / (std::string(GetParam().name) + ".input");
      std::ofstream(kept, std::ios::binary) << bytes;
      ADD_FAILURE() << what << ": " << broken.what() << "; the input is in " << kept;
    }
  }

  std::vector<Seed> seeds_;
};

TEST_P(FuzzReplay, EverySeed) {
  ASSERT_GE(seeds_.size(), 3u);
  for (const Seed& seed : seeds_) Run(seed.name, seed.bytes);
}

TEST_P(FuzzReplay, MutationsOfSeeds) {
  ASSERT_FALSE(seeds_.empty());
  RandomBits random(1);
  for (std::uint32_t i = 0; i < kMutations && !HasFailure(); ++i) {
    const Seed& seed = seeds_[i % seeds_.size()];
    const Seed& other = seeds_[random.Below(static_cast<std::uint32_t>(seeds_.size()))];
    Run("mutation " + std::to_string(i) + " of " + seed.name,
        Mutated(seed.bytes, other.bytes, random));
  }
}

INSTANTIATE_TEST_SUITE_P(Decoders, FuzzReplay, testing::ValuesIn(kTargets),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace saffron::fuzz
