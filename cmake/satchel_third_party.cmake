# The libraries of others. A module links the ones whose door it holds (table in test/tidy):
#
#   tl::expected fmt::fmt spdlog::spdlog OpenSSL::Crypto     base
#   PkgConfig::rocksdb PkgConfig::zstd LibArchive::LibArchive   store
#   PkgConfig::fuse3                                         fs
#   CLI11::CLI11 nlohmann_json::nlohmann_json                cli
#   Boost::filesystem                                        administration paths
#   doctest::doctest                                         test
#
# PkgConfig::rocksdb and not RocksDB's own CMake package, because that one asks for the development
# files of everything that RocksDB itself is linked against.

set(satchel_missing "run packaging/setup.sh")
find_package(PkgConfig REQUIRED)
find_package(tl-expected REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(OpenSSL 3.0 REQUIRED COMPONENTS Crypto)
find_package(Boost 1.74 REQUIRED COMPONENTS filesystem)
find_package(LibArchive REQUIRED)
find_package(CLI11 REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(doctest REQUIRED)
pkg_check_modules(rocksdb REQUIRED IMPORTED_TARGET rocksdb)
option(SATCHEL_STATIC_ROCKSDB
  "Link RocksDB's archive: its thread-local variables cost a call each in a shared library" OFF)
if(SATCHEL_STATIC_ROCKSDB)
  pkg_get_variable(rocksdb_folder rocksdb libdir)
  find_library(rocksdb_archive NAMES librocksdb.a HINTS ${rocksdb_folder} NO_DEFAULT_PATH)
  if(rocksdb_archive)
    # What Debian's archive was made with, which its pkg-config file does not say.
    set_property(TARGET PkgConfig::rocksdb PROPERTY
      INTERFACE_LINK_LIBRARIES "${rocksdb_archive};snappy;lz4;bz2;z;zstd;${CMAKE_DL_LIBS}")
  else()
    message(WARNING "there is no librocksdb.a in ${rocksdb_folder}: RocksDB is linked as a shared library")
  endif()
endif()
pkg_check_modules(zstd REQUIRED IMPORTED_TARGET libzstd)

# Passthrough needs libfuse 3.17. setup.sh builds one into build/deps where the system's is older; a
# program linked against that finds it by its absolute run path, without any environment.
set(ENV{PKG_CONFIG_PATH} "${CMAKE_SOURCE_DIR}/build/deps/lib/pkgconfig:$ENV{PKG_CONFIG_PATH}")
pkg_check_modules(fuse3 IMPORTED_TARGET fuse3>=3.17)
if(NOT fuse3_FOUND)
  message(WARNING "libfuse 3.17 or newer is missing, so fs/ cannot be built: ${satchel_missing}")
endif()
