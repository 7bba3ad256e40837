// The schemas of bodies and answers. Kept true by oms_openapi_test.cc, which holds answers against
// them.
#include "services/oms/openapi.h"

namespace saffron {
namespace {

constexpr std::string_view kSchemas = R"json({
"Object":{"type":"object"},
"Violation":{"type":"object","required":["pointer","code","message"],"properties":{
  "pointer":{"type":"string"},"code":{"type":"string"},"message":{"type":"string"}}},
"Error":{"type":"object","required":["status","message"],"properties":{
  "status":{"type":"string"},"message":{"type":"string"},"detail":{},
  "errors":{"type":"array","items":{"$ref":"#/components/schemas/Violation"}},
  "command_id":{"type":"string"},"outcome":{"type":"string"}}},
"Conflict":{"type":"object","required":["detail"],"properties":{
  "detail":{"type":"object","required":["error"],"properties":{"error":{"type":"string"},
    "aggregate_id":{"type":"string"},"expected_seq":{"type":["integer","null"]},
    "actual_seq":{"type":"integer"},"count":{"type":"integer"},"index":{"type":"integer"}}}}},

"CreateDatabase":{"type":"object","required":["name"],"additionalProperties":false,"properties":{
  "name":{"type":"string"},"description":{"type":["string","null"]},
  "command_id":{"type":"string"}}},
"ClassDefinition":{"type":"object","properties":{"id":{"type":"string"},"label":{},
  "description":{},"parent_class":{"type":"string"},"abstract":{"type":"boolean"},
  "properties":{"type":"array","items":{"type":"object"}},
  "relationships":{"type":"array","items":{"type":"object"}},"command_id":{"type":"string"}}},
"InstanceWrite":{"type":"object","required":["data"],"additionalProperties":false,"properties":{
  "data":{"type":"object"},"metadata":{"type":"object"},"command_id":{"type":"string"}}},
"BulkCreate":{"type":"object","required":["instances"],"additionalProperties":false,"properties":{
  "instances":{"type":"array","minItems":1,"maxItems":10000,"items":{"type":"object"}},
  "metadata":{"type":"object"},"command_id":{"type":"string"}}},
"Transaction":{"type":"object","required":["commands"],"additionalProperties":false,"properties":{
  "commands":{"type":"array","minItems":1,"maxItems":1000,"items":{"type":"object",
    "required":["op","class"],"additionalProperties":false,"properties":{
      "op":{"enum":["create","update","delete"]},"class":{"type":"string"},
      "id":{"type":"string"},"data":{"type":"object"},"metadata":{"type":"object"},
      "expected_seq":{"type":"integer"}}}},
  "checks":{"type":"array","maxItems":1000,"items":{"type":"object",
    "required":["class","id","expected_seq"],"additionalProperties":false,"properties":{
      "class":{"type":"string"},"id":{"type":"string"},"expected_seq":{"type":"integer"}}}},
  "command_id":{"type":"string"}}},
"Filter":{"type":"object","required":["field","op","value"],"properties":{
  "field":{"type":"string"},
  "op":{"enum":["eq","ne","gt","gte","lt","lte","in","prefix","match"]},"value":{}}},
"SearchRequest":{"type":"object","additionalProperties":false,"properties":{
  "class":{"type":"string"},
  "filters":{"type":"array","items":{"$ref":"#/components/schemas/Filter"}},
  "text":{"type":"string"},"sort":{"type":"string"},"limit":{"type":"integer"},
  "cursor":{"type":["string","null"]}}},
"GraphRequest":{"type":"object","required":["start_class"],"additionalProperties":false,
  "properties":{"start_class":{"type":"string"},
  "hops":{"type":"array","items":{"type":"object","required":["predicate"],"properties":{
    "predicate":{"type":"string"},"target_class":{"type":"string"}}}},
  "filters":{"type":"array","items":{"$ref":"#/components/schemas/Filter"}},
  "limit":{"type":"integer"},"offset":{"type":"integer"},"max_nodes":{"type":"integer"},
  "max_edges":{"type":"integer"},"include_paths":{"type":"boolean"},
  "max_paths":{"type":"integer"},"no_cycles":{"type":"boolean"},
  "include_documents":{"type":"boolean"}}},
"DlqAction":{"type":"object","required":["action","aggregate_type","aggregate_id"],
  "additionalProperties":false,"properties":{"action":{"enum":["replay","discard"]},
  "handler":{"type":"string"},"aggregate_type":{"type":"string"},
  "aggregate_id":{"type":"string"},"reason":{"type":"string"}}},
"VerifyRequest":{"type":"object","additionalProperties":false,
  "properties":{"from_slot":{"type":"integer","minimum":1},
    "patience_seconds":{"type":"integer","maximum":3600},
    "memory_mib":{"type":"integer","minimum":1},"sample":{"type":"integer","minimum":1},
    "repair":{"type":"string","enum":["index"]}}},
"VerifyProgress":{"type":"object","required":["running"],
  "properties":{"running":{"type":"boolean"},"phase":{"type":"string"},
    "done":{"type":"integer"},"of":{"type":"integer"}}},
"RebuildRequest":{"type":"object","required":["target"],"additionalProperties":false,
  "properties":{"target":{"type":"string"}}},

"DatabaseAccepted":{"type":"object",
  "required":["status","message","command_id","sequence_number","position","data"],"properties":{
  "status":{"type":"string"},"message":{"type":"string"},"command_id":{"type":"string"},
  "sequence_number":{"type":"integer"},"position":{"type":"string"},
  "data":{"type":"object","required":["command_id","database_name","sequence_number","position",
    "status","mode"],"properties":{"command_id":{"type":"string"},
    "database_name":{"type":"string"},"sequence_number":{"type":"integer"},
    "position":{"type":"string"},"status":{"type":"string"},"mode":{"type":"string"}}}}},
"ClassAccepted":{"type":"object",
  "required":["status","command_id","sequence_number","position","data"],"properties":{
  "status":{"type":"string"},"command_id":{"type":"string"},
  "sequence_number":{"type":"integer"},"position":{"type":"string"},
  "data":{"type":"object","required":["command_id","ontology_id","database","branch",
    "sequence_number","position"],"properties":{"command_id":{"type":"string"},
    "ontology_id":{"type":"string"},"database":{"type":"string"},"branch":{"type":"string"},
    "sequence_number":{"type":"integer"},"position":{"type":"string"}}}}},
"CommandResult":{"type":"object","required":["command_id","status","sequence_number","position",
  "result","error","completed_at","retry_count"],"properties":{"command_id":{"type":"string"},
  "command_type":{"type":"string"},
  "status":{"enum":["PENDING","PROCESSING","RETRYING","COMPLETED","FAILED"]},
  "sequence_number":{"type":"integer"},"position":{"type":"string"},
  "result":{"type":"object","required":["message"],"properties":{"message":{"type":"string"},
    "instance_id":{"type":"string"},"class_id":{"type":"string"},"db_name":{"type":"string"},
    "branch":{"type":"string"},"reason":{"type":"string"}}},
  "error":{"type":["string","null"]},"completed_at":{"type":["string","null"]},
  "retry_count":{"type":"integer"},"parked":{"type":"boolean"}}},
"BulkResult":{"type":"object","required":["command_id","status","sequence_number","position",
  "result","error","completed_at","retry_count"],"properties":{"command_id":{"type":"string"},
  "status":{"enum":["PENDING","COMPLETED","FAILED"]},"sequence_number":{"type":"null"},
  "position":{"type":["string","null"]},
  "result":{"type":"object","required":["message","db_name","branch","accepted","refused","items"],
    "properties":{"accepted":{"type":"integer"},"refused":{"type":"integer"},
    "items":{"type":"array","items":{"type":"object",
      "required":["index","instance_id","command_id"],"properties":{
      "instance_id":{"type":["string","null"]},"command_id":{"type":"string"},
      "sequence_number":{"type":"integer"},"position":{"type":"string"}}}}}},
  "error":{"type":["string","null"]},"completed_at":{"type":["string","null"]},
  "retry_count":{"type":"integer"}}},

"DatabaseList":{"type":"object","required":["status","data"],"properties":{
  "data":{"type":"object","required":["databases"],"properties":{"databases":{"type":"array",
    "items":{"type":"object","required":["name","description","created_at","sequence_number"],
    "properties":{"name":{"type":"string"},"description":{"type":["string","null"]},
    "created_at":{"type":["string","null"]},"sequence_number":{"type":"integer"}}}}}}}},
"DatabaseExists":{"type":"object","required":["status","data"],"properties":{
  "data":{"type":"object","required":["exists"],"properties":{"exists":{"type":"boolean"}}}}},
"ClassList":{"type":"object","required":["status","data"],"properties":{"data":{"type":"object",
  "required":["ontologies"],"properties":{"ontologies":{"type":"array","items":{"type":"object",
  "required":["id","properties","relationships","sequence_number"]}}}}}},
"ClassAnswer":{"type":"object","required":["status","data"],"properties":{"data":{
  "type":"object","required":["id","properties","relationships","sequence_number"]}}},
"LintReport":{"type":"object","required":["status","data"],"properties":{"data":{
  "type":"object","required":["valid","errors"],"properties":{"valid":{"type":"boolean"},
  "errors":{"type":"array","items":{"$ref":"#/components/schemas/Violation"}}}}}},
"BranchList":{"type":"object","required":["status","data"],"properties":{"data":{
  "type":"object","required":["branches"],"properties":{"branches":{"type":"array",
  "items":{"type":"object","required":["name"]}}}}}},
"History":{"type":"object","required":["status","data"],"properties":{"data":{"type":"object",
  "required":["commits","next_before"],"properties":{"commits":{"type":"array","items":{
  "type":"object","required":["commit","timestamp","author","message","events"]}},
  "next_before":{"type":["string","null"]}}}}},
"Instance":{"type":"object","required":["instance_id","class_id","db_name","branch",
  "sequence_number","updated_at","document"],"properties":{"instance_id":{"type":"string"},
  "class_id":{"type":"string"},"db_name":{"type":"string"},"branch":{"type":"string"},
  "sequence_number":{"type":"integer"},"updated_at":{"type":"string"},
  "document":{"type":["object","null"]}}},
"InstanceAnswer":{"type":"object","required":["status","data"],"properties":{
  "data":{"$ref":"#/components/schemas/Instance"}}},
"InstancePage":{"type":"object","required":["status","data"],"properties":{"data":{
  "type":"object","required":["instances","count","next_cursor"],"properties":{
  "instances":{"type":"array","items":{"$ref":"#/components/schemas/Instance"}},
  "count":{"type":"integer"},"next_cursor":{"type":["string","null"]}}}}},
"SearchResult":{"type":"object","required":["status","data"],"properties":{"data":{
  "type":"object","required":["results","count","next_cursor"],"properties":{
  "results":{"type":"array","items":{"$ref":"#/components/schemas/Instance"}},
  "count":{"type":"integer"},"next_cursor":{"type":["string","null"]}}}}},
"Count":{"type":"object","required":["count"],"properties":{"count":{"type":"integer"}}},
"GraphResult":{"type":"object","required":["nodes","edges","count","warnings","page"],
  "properties":{"nodes":{"type":"array","items":{"type":"object",
  "required":["id","class_id","instance_id","sequence_number"]}},
  "edges":{"type":"array","items":{"type":"object","required":["from","predicate","to"]}},
  "paths":{"type":"array","items":{"type":"array","items":{"type":"string"}}},
  "count":{"type":"integer"},"warnings":{"type":"array","items":{"type":"string"},
    "description":"what cut it: max_nodes, max_edges, max_paths, steps (5,000,000 on paths)"},
  "page":{"type":"object","required":["limit","offset","more"]}}},
"Event":{"type":"object","required":["position","event"],"properties":{
  "position":{"type":"string"},"event":{"type":"object","required":["event_id","event_type",
  "aggregate_type","aggregate_id","occurred_at","actor","data","metadata","schema_version",
  "sequence_number"]}}},
"Aggregate":{"type":"object","required":["status","data"],"properties":{"data":{"type":"object",
  "required":["aggregate_type","aggregate_id","sequence_number","decided_sequence_number",
  "lifecycle","incarnation","state","last_command"]}}},
"AggregateEvents":{"type":"object","required":["status","data"],"properties":{"data":{
  "type":"object","required":["aggregate_type","aggregate_id","events","next_seq"],"properties":{
  "events":{"type":"array","items":{"$ref":"#/components/schemas/Event"}},
  "next_seq":{"type":["integer","null"]}}}}},
"EventPage":{"type":"object","required":["status","data"],"properties":{"data":{"type":"object",
  "required":["events","count","next"],"properties":{
  "events":{"type":"array","items":{"$ref":"#/components/schemas/Event"}},
  "count":{"type":"integer"},"next":{"type":"string"}}}}},
"Health":{"type":"object","required":["status"],"properties":{"status":{"type":"string"},
  "components":{"type":"object"}}},
"Root":{"type":"object","required":["name","version","links"],"properties":{
  "name":{"type":"string"},"version":{"type":"string"},"links":{"type":"object"}}}
})json";

}  // namespace

std::string_view OpenApiSchemas() { return kSchemas; }

}  // namespace saffron
