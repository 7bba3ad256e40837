# Everything comes from Debian packages (listed in ./dev).
find_package(Threads REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(CURL REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(GTest REQUIRED)
find_package(benchmark REQUIRED)
find_package(simdjson REQUIRED)
find_package(fmt REQUIRED)
find_package(RocksDB REQUIRED)
find_package(Boost 1.81 REQUIRED COMPONENTS context)
find_package(prometheus-cpp REQUIRED COMPONENTS core)

find_package(PkgConfig REQUIRED)
pkg_check_modules(xxhash REQUIRED IMPORTED_TARGET libxxhash)
# Not "zstd": RocksDB's Findzstd would find that prefix's cached variables at a second configure.
pkg_check_modules(libzstd REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(re2 REQUIRED IMPORTED_TARGET re2)
pkg_check_modules(jemalloc REQUIRED IMPORTED_TARGET jemalloc)
