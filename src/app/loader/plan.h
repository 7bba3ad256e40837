// What a load will do: classes to create and files to read, resolved against each other.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "app/loader/mapping.h"
#include "base/result.h"
#include "domain/ontology.h"

namespace saffron {

struct PlanOptions {
  std::string ontology_file;  // empty: the mapping describes the classes
  std::string mapping_file;   // empty: files are named like their classes
  std::string data_dir;
};

struct FileToLoad {
  std::string path;
  std::string name;  // relative to the data folder
  bool jsonl = false;
  ClassMapping mapping;
  std::shared_ptr<const EffectiveClass> type;
};

struct LoadPlan {
  // Parents before their children and, where there is no circle, targets before what points at
  // them.
  std::vector<ClassDefinition> classes;
  std::vector<FileToLoad> files;      // in the order of their classes
  std::vector<std::string> warnings;  // of files in the folder that are not read
};

// Reads ontology and mapping, lints every class, and finds each file. kInvalid names the file.
Result<LoadPlan> MakePlan(const PlanOptions& options);

// In the order of LoadPlan::classes. kInvalid when classes inherit in a circle.
Result<std::vector<ClassDefinition>> InOrderOfDependence(std::vector<ClassDefinition> classes);

}  // namespace saffron
