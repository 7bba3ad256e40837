// What holds of every decoder, whatever bytes it is given: one function a target, each in the file
// named like it. A function returns when all is well and throws BrokenProperty when not. libFuzzer
// calls one of them (libfuzzer_main.cc), replay_test.cc calls all of them in `./dev test`.
#pragma once

#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace saffron::fuzz {

class BrokenProperty : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

inline void Require(bool holds, const char* what) {
  if (!holds) throw BrokenProperty(what);
}

void FuzzAddresses(std::string_view bytes);
void FuzzApi(std::string_view bytes);
void FuzzBusRecords(std::string_view bytes);
void FuzzByDate(std::string_view bytes);
void FuzzCheckpoint(std::string_view bytes);
void FuzzConfig(std::string_view bytes);
void FuzzCsv(std::string_view bytes);
void FuzzElasticsearch(std::string_view bytes);
void FuzzEnvelope(std::string_view bytes);
void FuzzHttpRequest(std::string_view bytes);
void FuzzJson(std::string_view bytes);
void FuzzMapping(std::string_view bytes);
void FuzzMergePatch(std::string_view bytes);
void FuzzOntology(std::string_view bytes);
void FuzzPostgresRows(std::string_view bytes);
void FuzzQuery(std::string_view bytes);
void FuzzRegistryRows(std::string_view bytes);
void FuzzS3Headers(std::string_view bytes);
void FuzzS3Xml(std::string_view bytes);
void FuzzSearch(std::string_view bytes);
void FuzzSlot(std::string_view bytes);
void FuzzTerminusdb(std::string_view bytes);
void FuzzUrl(std::string_view bytes);
void FuzzWatermark(std::string_view bytes);
void FuzzWrite(std::string_view bytes);

// Inputs of several texts have this line between them.
inline constexpr std::string_view kPartSeparator = "\n---\n";
// Exactly `count` parts: the last has the rest, those that are not there are empty.
std::vector<std::string_view> SplitParts(std::string_view bytes, std::size_t count);

}  // namespace saffron::fuzz
