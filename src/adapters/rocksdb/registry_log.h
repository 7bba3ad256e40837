// RegistryLog: where RocksDB writes what it has to say, the file LOG beside its data.
//
// RocksDB's own logger goes through its checked file writer, and a build with assertions (Debian's
// is one) ends the process with the second line that a full disk does not take. A line that cannot
// be written is lost here. Thread-safe; bounded: a long file is begun anew.
#pragma once

#include <rocksdb/env.h>

#include <memory>
#include <string>

namespace saffron {

// `directory` need not exist yet; then, and when the file cannot be written, all is dropped.
std::shared_ptr<rocksdb::Logger> OpenRegistryLog(const std::string& directory);

}  // namespace saffron
