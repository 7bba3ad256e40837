#include "domain/instance.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>

#include "domain/json_text.h"
#include "domain/value_check.h"

namespace saffron {
namespace {

std::shared_ptr<const EffectiveClass> ClassOf(std::string_view json) {
  DefinitionResult read = ParseClassDefinition(json, "");
  EXPECT_TRUE(read.violations.empty()) << read.violations[0].message;
  OntologyStamp database{AggregateKey::Database("db1"), SequenceNumber(1), SequenceNumber(1)};
  std::map<std::string, OntologyClass> classes;
  std::string id = read.definition.id;
  classes[id] = {SequenceNumber(1), SequenceNumber(1), read.definition};
  return *Ontology(database, SequenceNumber(1), classes).Effective(id);
}

std::shared_ptr<const EffectiveClass> Order() {
  return ClassOf(R"({"id":"Order","properties":[
    {"name":"region","type":"string","primary_key":true},
    {"name":"number","type":"integer","primary_key":true},
    {"name":"order_id","type":"string"},
    {"name":"name","type":"string","required":true,"constraints":{"min":2,"max":4}},
    {"name":"paid","type":"boolean"},{"name":"at","type":"datetime"},
    {"name":"extra","type":"json"},{"name":"tags","type":"array"},
    {"name":"carrier","type":"reference"}],
    "relationships":[{"predicate":"items","target":"Item","cardinality":"n:m"}]})");
}

std::string Codes(const std::vector<Violation>& violations) {
  std::string text;
  for (const Violation& v : violations) text += v.pointer + " " + v.code + "; ";
  return text;
}

TEST(CheckClientJsonTest, AcceptsWhatRfc8259Allows) {
  for (std::string_view json :
       {"{}", " {\"a\" : [1,-0.5e+3,true,false,null,\"\"]} ", R"({"a":{"a":1},"b":{"a":1}})",
        R"({"😀":"\ud83d\ude00 \\u0000 \n"})",
        R"({"n":1e308,"m":1e-999,"z":0e999999999999999999999})"}) {
    Status status = CheckClientJson(json);
    EXPECT_TRUE(status.ok()) << json << ": " << status.error().message();
  }
}

TEST(CheckClientJsonTest, RefusesEverythingElse) {
  using namespace std::string_view_literals;
  for (std::string_view json : {""sv,
                                "[]"sv,
                                "1"sv,
                                "{"sv,
                                "{}x"sv,
                                "{}{}"sv,
                                "{\"a\"}"sv,
                                "{\"a\":}"sv,
                                "{\"a\":1,}"sv,
                                "{,}"sv,
                                "{a:1}"sv,
                                "{\"a\":01}"sv,
                                "{\"a\":+1}"sv,
                                "{\"a\":1.}"sv,
                                "{\"a\":.5}"sv,
                                "{\"a\":1e}"sv,
                                "{\"a\":NaN}"sv,
                                "{\"a\":tru}"sv,
                                "{\"a\":'x'}"sv,
                                "{\"a\":[1,]}"sv,
                                "{\"a\":[}"sv,
                                "{\"a\":\"\n\"}"sv,
                                "{\"a\":\"\\x\"}"sv,
                                "{\"a\":\"\\ud800\"}"sv,
                                "{\"a\":\"\\udc00\"}"sv,
                                "{\"a\":\"\\ud800\\u0041\"}"sv,
                                "{\"a\":\"\\u0000\"}"sv,
                                "{\"a\":\"\\\\\\u0000\"}"sv,
                                "{\"a\\u0000\":1}"sv,
                                "{\"a\":\"\0\"}"sv,
                                "{\"a\":\"\xff\"}"sv,
                                "{\"a\":\"\xed\xa0\x80\"}"sv,
                                "{\"a\":1,\"a\":2}"sv,
                                "{\"a\":1,\"\\u0061\":2}"sv,
                                "{\"x\":[{\"a\":1,\"a\":2}]}"sv,
                                "{\"a\":1e309}"sv,
                                "{\"a\":-1e309}"sv,
                                "\xef\xbb\xbf{}"sv,
                                "{\"a\":1}\0"sv}) {
    EXPECT_TRUE(CheckClientJson(json).Is(Code::kInvalid)) << json;
  }
  EXPECT_FALSE(CheckClientJson("{\"a\":1" + std::string(400, '0') + "}").ok());
}

// Found by json_fuzz: the place of the first digit was added to the exponent, and overflowed.
TEST(CheckClientJsonTest, AnExponentAtTheEndOfInt64IsTooLarge) {
  EXPECT_FALSE(CheckClientJson(R"({"a":1e9223372036854775807})").ok());
  EXPECT_FALSE(CheckClientJson(R"({"a":-10e9223372036854775807})").ok());
  EXPECT_TRUE(CheckClientJson(R"({"a":1e-9223372036854775808})").ok());
  EXPECT_TRUE(CheckClientJson(R"({"a":0e9223372036854775807})").ok());
}

TEST(CheckClientJsonTest, LimitsDepthAndFindsTwinsAmongMany) {
  auto nested = [](int arrays) {
    std::string depth(static_cast<std::size_t>(arrays), '[');
    return "{\"a\":" + depth + std::string(static_cast<std::size_t>(arrays), ']') + "}";
  };
  EXPECT_TRUE(CheckClientJson(nested(31)).ok());
  EXPECT_FALSE(CheckClientJson(nested(32)).ok());
  EXPECT_FALSE(CheckClientJson(nested(100000)).ok());
  std::string many = "{";
  for (int i = 0; i < 100; ++i) many += "\"k" + std::to_string(i) + "\":{},";
  EXPECT_TRUE(CheckClientJson(many + "\"x\":1}").ok());
  EXPECT_FALSE(CheckClientJson(many + "\"k50\":1}").ok());
  EXPECT_NE(CheckClientJson("{\"a\":1,}").error().message().find("byte 7"), std::string::npos);
}

TEST(CanonicalTest, SortsByUtf16AndKeepsNumbers) {
  std::string out;
  // U+FB33 comes after U+1F600, whose first UTF-16 unit is D83D.
  ASSERT_TRUE(json::AppendCanonical(
      out, "{\"\xEF\xAC\xB3\":1,\"\xF0\x9F\x98\x80\":2,\"b\":[ 1.0 ,\"\\/\\u000A\"],\"a\":-0}"));
  EXPECT_EQ(out, "{\"a\":-0,\"b\":[1.0,\"/\\n\"],\"\xF0\x9F\x98\x80\":2,\"\xEF\xAC\xB3\":1}");
  EXPECT_FALSE(json::AppendCanonical(out, "{\"a\":1"));
}

TEST(ValidateTest, NamesWhatIsWrong) {
  auto type = Order();
  EXPECT_EQ(Codes(ValidateDocument(*type, R"({"name":"abc"})")), "");
  EXPECT_EQ(Codes(ValidateDocument(
                *type, R"({"name":"\u00e4\u00f6\u00fc\u00e4","number":9223372036854775807,
                           "at":"2026-01-01T10:00:00.5+01:00","carrier":"Carrier/x:1","paid":true,
                           "items":["Item/1"],"extra":{"a":null},"tags":[1]})")),
            "");
  EXPECT_EQ(Codes(ValidateDocument(*type, R"({"x/~":1,"number":1.0,"paid":null})")),
            "/x~1~0 unknown_property; /number wrong_type; /paid wrong_type; "
            "/name missing_required; ");
  EXPECT_EQ(Codes(ValidateDocument(*type, R"({"name":"a","number":9223372036854775808})")),
            "/name too_short; /number wrong_type; ");
  EXPECT_EQ(Codes(ValidateDocument(*type, R"({"name":"abcde","carrier":"x"})")),
            "/name too_long; /carrier wrong_type; ");
  EXPECT_EQ(Codes(ValidateDocument(*type, "[]")), " wrong_type; ");
  EXPECT_EQ(Codes(ValidateDocument(*type, "{\"name\":")), " wrong_type; ");
}

TEST(ValidateTest, PatchAlone) {
  auto type = Order();
  EXPECT_EQ(Codes(ValidatePatch(*type, R"({"paid":null,"items":null,"extra":{"x":1}})")), "");
  EXPECT_EQ(Codes(ValidatePatch(*type, R"({"name":null,"number":1,"x":null,"paid":1})")),
            "/name missing_required; /number primary_key_change; /x unknown_property; "
            "/paid wrong_type; ");
}

TEST(ValidateTest, DatesAndTimes) {
  for (std::string_view good : {"2024-02-29", "2000-02-29", "0001-01-01"})
    EXPECT_TRUE(IsDate(good));
  for (std::string_view bad : {"2023-02-29", "1900-02-29", "2026-13-01", "2026-00-01", "2026-04-31",
                               "2026-1-1", "2026-01-00", "20260101", "2026-01-0x"}) {
    EXPECT_FALSE(IsDate(bad)) << bad;
  }
  for (std::string_view good : {"2026-01-01T00:00:00Z", "2026-01-01t23:59:60z",
                                "2026-01-01T00:00:00", "2026-01-01T00:00:00.123-23:59"}) {
    EXPECT_TRUE(IsDateTime(good)) << good;
  }
  for (std::string_view bad :
       {"2026-01-01", "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "2026-01-01T00:00:00.Z",
        "2026-01-01T00:00:00+1:00", "2026-01-01 00:00:00Z", "2026-01-01T00:00:00Zx",
        "2026-02-30T00:00:00Z"}) {
    EXPECT_FALSE(IsDateTime(bad)) << bad;
  }
}

TEST(InstanceIdTest, PrimaryKeyThenFallbackThenNothing) {
  auto type = Order();
  EXPECT_EQ(*InstanceIdOf(*type, R"({"number":7,"region":"EU"})"), "EU.7");
  EXPECT_EQ(*InstanceIdOf(*type, R"({"order_id":"ORD.1"})"), "ORD.1");
  EXPECT_EQ(*InstanceIdOf(*type, "{}"), "");
  for (std::string_view bad :
       {R"({"number":7,"region":"E.U"})", R"({"number":7})", R"({"number":1.5,"region":"EU"})",
        R"({"number":7,"region":""})", R"({"number":7,"region":["EU"]})"}) {
    auto id = InstanceIdOf(*type, bad);
    ASSERT_TRUE(id.Is(Code::kInvalid)) << bad;
    EXPECT_TRUE(id.error().message().starts_with("key_component: ")) << bad;
  }
}

TEST(ReferencesTest, ByClassAndByShape) {
  auto type = Order();
  std::string document = R"({"items":["Item/1","bad","Item\/2"],"carrier":"C/9","name":"km/h"})";
  std::vector<Reference> expected = {
      {"items", "Item", "1"}, {"items", "Item", "2"}, {"carrier", "C", "9"}};
  EXPECT_EQ(ReferencesOf(*type, document), expected);
  expected.push_back({"name", "km", "h"});
  EXPECT_EQ(ReferencesByShape(document), expected);
}

TEST(DefaultsTest, AreAppendedWhereAbsent) {
  auto type = ClassOf(R"({"id":"A","properties":[{"name":"x","type":"integer","default":1},
                          {"name":"y","type":"object","default":{"a": 1}}]})");
  EXPECT_EQ(ApplyDefaults(*type, "{}"), R"({"x":1,"y":{"a": 1}})");
  EXPECT_EQ(ApplyDefaults(*type, R"({"y":{"q":"}"}})"), R"({"y":{"q":"}"},"x":1})");
}

// The examples of RFC 7396, appendix A, that patch an object with an object.
TEST(MergePatchTest, Rfc7396Examples) {
  const std::pair<std::pair<const char*, const char*>, const char*> cases[] = {
      {{R"({"a":"b"})", R"({"a":"c"})"}, R"({"a":"c"})"},
      {{R"({"a":"b"})", R"({"b":"c"})"}, R"({"a":"b","b":"c"})"},
      {{R"({"a":"b"})", R"({"a":null})"}, "{}"},
      {{R"({"a":"b","b":"c"})", R"({"a":null})"}, R"({"b":"c"})"},
      {{R"({"a":["b"]})", R"({"a":"c"})"}, R"({"a":"c"})"},
      {{R"({"a":"c"})", R"({"a":["b"]})"}, R"({"a":["b"]})"},
      {{R"({"a":{"b":"c"}})", R"({"a":{"b":"d","c":null}})"}, R"({"a":{"b":"d"}})"},
      {{R"({"a":[{"b":"c"}]})", R"({"a":[1]})"}, R"({"a":[1]})"},
      {{R"({"e":null})", R"({"a":1})"}, R"({"e":null,"a":1})"},
      {{"{}", R"({"a":{"bb":{"ccc":null}}})"}, R"({"a":{"bb":{}}})"}};
  for (const auto& [input, expected] : cases) {
    EXPECT_EQ(*MergePatch(input.first, input.second), expected);
  }
  EXPECT_EQ(*MergePatch(R"({"n":1.50,"s":"\u0041","x":1})", R"({"x":2})"),
            R"({"n":1.50,"s":"\u0041","x":2})");
  EXPECT_FALSE(MergePatch("{}", "[]").ok());
  EXPECT_FALSE(MergePatch("[]", "{}").ok());
}

using Dom = rapidjson::Document;

rapidjson::Value NaiveMerge(rapidjson::Value target, const rapidjson::Value& patch,
                            Dom::AllocatorType& memory) {
  if (!patch.IsObject()) return rapidjson::Value(patch, memory);
  if (!target.IsObject()) target.SetObject();
  for (const auto& member : patch.GetObject()) {
    if (member.value.IsNull()) {
      target.RemoveMember(member.name);
      continue;
    }
    rapidjson::Value old;
    auto found = target.FindMember(member.name);
    if (found != target.MemberEnd()) old = found->value;
    rapidjson::Value merged = NaiveMerge(std::move(old), member.value, memory);
    found = target.FindMember(member.name);
    if (found != target.MemberEnd()) {
      found->value = merged;
    } else {
      target.AddMember(rapidjson::Value(member.name, memory), merged, memory);
    }
  }
  return target;
}

// Random JSON with few names, so that patches meet what they change. `shuffle` permutes members.
std::string RandomValue(int depth, bool object) {
  int kind = object ? 5 : *rc::gen::inRange(0, depth > 0 ? 7 : 4);
  if (kind == 0) return "null";
  if (kind == 1) return *rc::gen::elementOf(std::vector<std::string>{"1", "1.50", "-0", "2e3"});
  if (kind == 2) return "true";
  if (kind == 3) {
    return *rc::gen::elementOf(
        std::vector<std::string>{"\"\"", "\"a b\"", "\"\\u0041\\n\"", "\"\\\" \\\\\""});
  }
  bool array = kind == 4;
  std::string out = array ? "[" : "{";
  for (const char* name : {"a", "b", "\\u0063", "d\\\""}) {
    if (!*rc::gen::arbitrary<bool>()) continue;
    if (out.size() > 1) out += *rc::gen::arbitrary<bool>() ? " ,\n" : ",";
    if (!array) out += "\"" + std::string(name) + "\" : ";
    out += RandomValue(depth - 1, false);
  }
  return out + (array ? "]" : "}");
}

std::string Canonical(std::string_view json) {
  std::string out;
  RC_ASSERT(json::AppendCanonical(out, json));
  return out;
}

TEST(JsonProperty, MergePatchEqualsTheNaiveOne) {
  EXPECT_TRUE(rc::check([] {
    std::string target = RandomValue(3, true), patch = RandomValue(3, true);
    auto merged = MergePatch(target, patch);
    RC_ASSERT(merged.ok());
    Dom a, b;
    a.Parse<rapidjson::kParseNumbersAsStringsFlag>(target.c_str());
    b.Parse<rapidjson::kParseNumbersAsStringsFlag>(patch.c_str());
    RC_ASSERT(!a.HasParseError() && !b.HasParseError());
    rapidjson::Value expected =
        NaiveMerge(rapidjson::Value(a, a.GetAllocator()), b, a.GetAllocator());
    Dom result;
    result.Parse<rapidjson::kParseNumbersAsStringsFlag>(merged->c_str());
    RC_ASSERT(!result.HasParseError());
    bool same = result == expected;
    RC_ASSERT(same);
  }));
}

std::string Permuted(std::string_view object) {
  auto members = *json::MembersOf(object);
  std::reverse(members.begin(), members.end());
  std::string out = "{";
  for (const json::Member& member : members) {
    if (out.size() > 1) out += ",";
    out += std::string(member.key.raw) + ":";
    bool nested = member.value.kind == json::Kind::kObject;
    out += nested ? Permuted(member.value.raw) : std::string(member.value.raw);
  }
  return out + "}";
}

TEST(JsonProperty, CanonicalFormIgnoresOrderAndSpace) {
  EXPECT_TRUE(rc::check([] {
    std::string object = RandomValue(3, true);
    std::string canonical = Canonical(object);
    RC_ASSERT(Canonical(Permuted(object)) == canonical);
    RC_ASSERT(Canonical(canonical) == canonical);
    RC_ASSERT(CheckClientJson(object).ok());
  }));
}

TEST(JsonProperty, MinifyIsIdempotentAndKeepsTheMeaning) {
  EXPECT_TRUE(rc::check([] {
    std::string object = RandomValue(3, true);
    std::string small = MinifyJson(object);
    RC_ASSERT(MinifyJson(small) == small);
    RC_ASSERT(small.find('\n') == std::string::npos);
    RC_ASSERT(Canonical(small) == Canonical(object));
  }));
}

}  // namespace
}  // namespace saffron
