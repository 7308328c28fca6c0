// Damage to files, for tests of what readers make of it.
#pragma once

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace satchel::test {

inline std::string read_whole(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

inline void write_whole(const std::string& path, const std::string& bytes) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << bytes;
  REQUIRE(file.flush());
}

/// Flips one bit of the byte at `offset`.
inline void flip_byte(const std::string& path, std::size_t offset) {
  std::string bytes = read_whole(path);
  REQUIRE(offset < bytes.size());
  bytes[offset] = static_cast<char>(bytes[offset] ^ 1);
  write_whole(path, bytes);
}

}  // namespace satchel::test
