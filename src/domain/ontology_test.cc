#include "domain/ontology.h"

#include <gtest/gtest.h>

#include "domain/instance.h"

namespace saffron {
namespace {

constexpr std::string_view kId = R"({"name":"id","type":"string","primary_key":true})";

ClassDefinition Parse(const std::string& json) {
  DefinitionResult read = ParseClassDefinition(json, "");
  EXPECT_TRUE(read.violations.empty()) << json << ": " << read.violations[0].message;
  return read.definition;
}

// {"id":..., more, "properties":[id?, properties]}
std::string Json(std::string id, std::string properties, std::string more = "") {
  return R"({"id":")" + id + "\"," + more + R"("properties":[)" + properties + "]}";
}

Ontology Of(const std::vector<std::string>& definitions) {
  std::map<std::string, OntologyClass> classes;
  std::uint64_t number = 0;
  for (const std::string& json : definitions) {
    ClassDefinition definition = Parse(json);
    std::string id = definition.id;
    ++number;
    classes[id] = {SequenceNumber(number + 10), SequenceNumber(number), std::move(definition)};
  }
  return Ontology({AggregateKey::Database("db1"), SequenceNumber(1), SequenceNumber(1)},
                  SequenceNumber(5), classes);
}

std::string Codes(const std::vector<Violation>& violations) {
  std::string text;
  for (const Violation& v : violations) text += v.pointer + " " + v.code + "; ";
  return text;
}

const std::string kIdText(kId);

TEST(DefinitionTest, RoundTrips) {
  std::string json =
      R"({"id":"Order","label":{"en":"Order"},"description":"x","parent_class":"Thing",)"
      R"("abstract":true,"properties":[{"name":"id","type":"string","required":true,)"
      R"("primary_key":true,"default":"a","constraints":{"min":1,"max":2.5,"pattern":"^a",)"
      R"("enum":["a","b"]},"label":"Id"}],"relationships":[{"predicate":"p","target":"T",)"
      R"("cardinality":"1:n","inverse_predicate":"q","label":"l"}]})";
  EXPECT_EQ(EncodeClassDefinition(Parse(json)), json);
}

TEST(DefinitionTest, EveryViolationIsFound) {
  auto codes = [](std::string_view json) {
    return Codes(ParseClassDefinition(json, "A").violations);
  };
  EXPECT_EQ(codes("[]"), " wrong_type; ");
  EXPECT_EQ(codes(R"({"id":"B"})"), "/id id_mismatch; ");
  EXPECT_EQ(codes(R"({"x/y":1,"a~b":1})"), "/x~1y unknown_member; /a~0b unknown_member; ");
  EXPECT_EQ(codes(R"({"nonsense":1,"abstract":"yes","properties":{}})"),
            "/nonsense unknown_member; /abstract wrong_type; /properties wrong_type; ");
  EXPECT_EQ(codes(R"({"properties":[{"name":"a-b","type":"string"},{"name":"a"},
                      {"name":"b","type":"x"},{"name":"b","type":"date"}]})"),
            "/properties/0/name bad_name; /properties/1/type missing_required; "
            "/properties/2/type unknown_type; /properties/3/name duplicate_name; ");
  EXPECT_EQ(codes(R"({"properties":[{"name":"p","type":"string","constraints":{"mix":1}}],
                      "relationships":[{"predicate":"p","target":"T","cardinality":"2:1"},{}]})"),
            "/properties/0/constraints/mix unknown_member; /relationships/0/cardinality "
            "unknown_cardinality; /relationships/1/target missing_required; "
            "/relationships/1/predicate missing_required; /relationships/0/predicate "
            "duplicate_name; ");
  EXPECT_EQ(codes(R"({"abstract":true,"abstract":true})"), "/abstract duplicate_name; ");
  EXPECT_EQ(Codes(ParseClassDefinition("{}", "").violations), "/id missing_required; ");
}

TEST(DefinitionTest, TypeNames) {
  EXPECT_EQ(ParsePropertyType("xsd:dateTime"), PropertyType::kDateTime);
  EXPECT_EQ(ParsePropertyType("Integer"), PropertyType::kInteger);
  EXPECT_EQ(ParsePropertyType("decimal"), PropertyType::kNumber);
  EXPECT_EQ(ParsePropertyType("link"), PropertyType::kReference);
  EXPECT_EQ(ParsePropertyType("xsd:"), std::nullopt);
  for (int i = 0; i <= static_cast<int>(PropertyType::kArray); ++i) {
    auto type = static_cast<PropertyType>(i);
    EXPECT_EQ(ParsePropertyType(PropertyTypeName(type)), type);
  }
}

TEST(OntologyTest, EffectiveClassHasTheInheritedPartsFirst) {
  Ontology ontology =
      Of({Json("Thing", kIdText, R"("abstract":true,)"),
          Json("Vehicle", R"({"name":"kg","type":"number"})", R"("parent_class":"Thing",)"),
          Json("Truck", R"({"name":"axles","type":"integer"})", R"("parent_class":"Vehicle",)"),
          Json("Orphan", kIdText, R"("parent_class":"Gone",)")});
  auto truck = *ontology.Effective("Truck");
  ASSERT_EQ(truck->properties.size(), 3u);
  EXPECT_EQ(truck->properties[0].name, "id");
  EXPECT_EQ(truck->properties[2].name, "axles");
  EXPECT_EQ(truck->ancestors, (std::vector<std::string>{"Vehicle", "Thing"}));
  EXPECT_EQ(truck->primary_key, std::vector<std::string>{"id"});
  EXPECT_FALSE(truck->abstract);
  EXPECT_TRUE(ontology.Effective("Orphan").Is(Code::kNotFound));
  EXPECT_TRUE(ontology.Effective("Nothing").Is(Code::kNotFound));
  auto stamps = ontology.StampsFor("db1", "main", "Truck");
  ASSERT_EQ(stamps.size(), 4u);
  EXPECT_EQ(stamps[1].aggregate.id, "db1:main:Truck");
  EXPECT_EQ(stamps[1].incarnation, SequenceNumber(3));
  EXPECT_EQ(stamps[1].number, SequenceNumber(13));
  EXPECT_EQ(stamps[3].aggregate.id, "db1:main:Thing");
  EXPECT_EQ(ontology.Dependents("Thing"), std::vector<std::string>{"Vehicle"});
}

TEST(LintTest, NewClasses) {
  Ontology ontology = Of({Json("Thing", kIdText)});
  auto lint = [&](const std::string& json) {
    return Codes(ontology.Lint(Parse(json), Operation::kCreate));
  };
  EXPECT_EQ(lint(Json("A", kIdText)), "");
  EXPECT_EQ(lint(Json("A", "")), "/properties missing_primary_key; ");
  EXPECT_EQ(lint(Json("A", "", R"("abstract":true,)")), "");
  EXPECT_EQ(lint(Json("A", R"({"name":"k","type":"string","primary_key":true,"default":"x"})")),
            "/properties/0/default bad_default; ");
  EXPECT_EQ(lint(Json("A", "", R"("parent_class":"Thing",)")), "");
  EXPECT_EQ(lint(Json("A", kIdText, R"("parent_class":"Thing",)")),
            "/properties/0/name duplicate_name; ");
  EXPECT_EQ(lint(Json("A", kIdText, R"("parent_class":"Gone",)")),
            "/parent_class unknown_parent; ");
  EXPECT_EQ(lint(Json("A", kIdText, R"("parent_class":"A",)")),
            "/parent_class inheritance_cycle; ");
  EXPECT_EQ(lint(Json("A", kIdText, R"("relationships":[{"predicate":"p","target":"Gone"},
                                       {"predicate":"q","target":"A"}],)")),
            "/relationships/0/target unknown_target; ");
  EXPECT_EQ(lint(Json("A", R"({"name":"l","type":"array","primary_key":true})")),
            "/properties/0/primary_key bad_primary_key; ");
  auto constraint = [&](const std::string& type, const std::string& rest) {
    return lint(Json("A", kIdText + R"(,{"name":"x","type":")" + type + "\"," + rest + "}"));
  };
  std::string at = "/properties/1/constraints";
  EXPECT_EQ(constraint("date", R"("constraints":{"min":1})"), at + " bad_constraint; ");
  EXPECT_EQ(constraint("number", R"("constraints":{"min":2,"max":1})"), at + " bad_constraint; ");
  EXPECT_EQ(constraint("number", R"("constraints":{"pattern":"a"})"),
            at + "/pattern bad_constraint; ");
  EXPECT_EQ(constraint("string", R"("constraints":{"pattern":"(a"})"),
            at + "/pattern bad_constraint; ");
  EXPECT_EQ(constraint("integer", R"("constraints":{"enum":[1,"2"]})"),
            at + "/enum/1 bad_constraint; ");
  EXPECT_EQ(constraint("integer", R"("default":1.5)"), "/properties/1/default bad_default; ");
  EXPECT_EQ(constraint("integer", R"("default":15,"constraints":{"enum":[15.0]})"),
            at + "/enum/0 bad_constraint; ");
}

TEST(LintTest, ChangesOfAClassWithInstances) {
  std::string kg = R"(,{"name":"kg","type":"number"})";
  Ontology ontology =
      Of({Json("Thing", kIdText + kg),
          Json("Truck", R"({"name":"axles","type":"integer"})", R"("parent_class":"Thing",)")});
  auto lint = [&](const std::string& json) {
    return Codes(ontology.Lint(Parse(json), Operation::kUpdate));
  };
  EXPECT_EQ(lint(Json("Thing", kIdText + kg)), "");
  EXPECT_EQ(lint(Json("Thing", kIdText + kg + R"(,{"name":"new","type":"date"})")), "");
  EXPECT_EQ(lint(Json("Thing", kIdText)), "/properties incompatible_change; ");
  EXPECT_EQ(lint(Json("Thing", kIdText + R"(,{"name":"kg","type":"string"})")),
            "/properties/1/type incompatible_change; ");
  EXPECT_EQ(lint(Json("Thing", kIdText + R"(,{"name":"kg","type":"number","required":true})")),
            "/properties/1 incompatible_change; ");
  EXPECT_EQ(lint(Json("Thing",
                      kIdText + R"(,{"name":"kg","type":"number","required":true,"default":0})")),
            "");
  EXPECT_EQ(lint(Json("Thing", kIdText + R"(,{"name":"kg","type":"number","primary_key":true})")),
            "/properties incompatible_change; ");
  EXPECT_EQ(lint(Json("Thing", kIdText + kg, R"("abstract":true,)")),
            "/abstract incompatible_change; ");
  EXPECT_EQ(lint(Json("Thing", kIdText + kg + R"(,{"name":"axles","type":"string"})")),
            "/properties/2/name duplicate_name; ");
  EXPECT_EQ(lint(Json("Thing", kIdText + kg, R"("parent_class":"Truck",)")),
            "/parent_class inheritance_cycle; ");
}

TEST(LintTest, ANewParentMustNotHaveNamesOfASubclass) {
  Ontology ontology =
      Of({Json("Axled", R"({"name":"axles","type":"string"})", R"("abstract":true,)"),
          Json("Named", R"({"name":"name","type":"string"})", R"("abstract":true,)"),
          Json("Thing", kIdText),
          Json("Truck", R"({"name":"axles","type":"integer"})", R"("parent_class":"Thing",)")});
  auto lint = [&](const std::string& parent) {
    return Codes(ontology.Lint(
        Parse(Json("Thing", kIdText, R"("parent_class":")" + parent + "\",")), Operation::kUpdate));
  };
  EXPECT_EQ(lint("Axled"), "/parent_class duplicate_name; ");
  EXPECT_EQ(lint("Named"), "");
}

}  // namespace
}  // namespace saffron
