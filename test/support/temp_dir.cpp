#include "test/support/temp_dir.h"

#include <fcntl.h>

#include <cstdlib>
#include <filesystem>
#include <system_error>

namespace satchel::test {
namespace {

HostPath make_directory() {
  const char* const parent = std::getenv("TMPDIR");  // NOLINT(concurrency-mt-unsafe): nobody sets
  std::string path = std::string(parent != nullptr ? parent : "/tmp") + "/satchel-test-XXXXXX";
  SATCHEL_ASSERT(::mkdtemp(path.data()) != nullptr);
  return {path};
}

}  // namespace

TempDir::TempDir() : path_(make_directory()), fd_(open()) {}

TempDir::~TempDir() {
  std::error_code ignored;  // a test that cannot remove its files has failed for that reason before
  std::filesystem::remove_all(path_.text, ignored);
}

UniqueFd TempDir::open() const {
  UniqueFd fd(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  SATCHEL_ASSERT(fd.valid());
  return fd;
}

}  // namespace satchel::test
