// How RocksDB is set up for the registry. The choices were measured; see
// docs/adr/0001-registry-engine.md.
#pragma once

#include <rocksdb/options.h>

#include <vector>

#include "adapters/rocksdb/registry_database.h"

namespace saffron {

rocksdb::DBOptions RegistryDbOptions(const RegistryDatabase::Options& options);
// One descriptor a family, in the order of `Family`.
std::vector<rocksdb::ColumnFamilyDescriptor> RegistryFamilies(
    const RegistryDatabase::Options& options);

}  // namespace saffron
