#include "test/mount/mapped_page.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <utility>

namespace satchel::test {
namespace {

// A signal handler has no other way to its data.
sigjmp_buf no_page;  // NOLINT(cppcoreguidelines-avoid-non-const-global-variables)

void leave_store(int /*signal*/) {
  siglongjmp(no_page, 1);  // NOLINT(cert-err52-cpp): no destructor is passed over
}

}  // namespace

MappedPage::~MappedPage() {
  unmap();
}

void MappedPage::unmap() {
  if (bytes_ != nullptr) ::munmap(std::exchange(bytes_, nullptr), kBytes);
}

std::size_t MappedPage::file_bytes() const {
  std::array<char, 64> link{};
  const auto start = reinterpret_cast<std::uintptr_t>(bytes_);  // NOLINT(*-reinterpret-cast)
  std::snprintf(link.data(), link.size(), "/proc/self/map_files/%zx-%zx", start, start + kBytes);
  struct stat found {};
  return ::stat(link.data(), &found) == 0 ? static_cast<std::size_t>(found.st_size) : 0;
}

int MappedPage::map(int fd) {
  void* const mapped = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (mapped == MAP_FAILED) return -1;
  unmap();
  bytes_ = static_cast<char*>(mapped);
  return 0;
}

bool MappedPage::store(std::size_t at, char value) {
  if (bytes_ == nullptr || at >= file_bytes()) return false;
  struct sigaction leave {};
  struct sigaction before {};
  leave.sa_handler = leave_store;
  ::sigaction(SIGBUS, &leave, &before);
  bool is_stored = false;
  if (sigsetjmp(no_page, 1) == 0) {  // NOLINT(cert-err52-cpp)
    const_cast<volatile char*>(bytes_)[at] = value;
    is_stored = true;
  }
  ::sigaction(SIGBUS, &before, nullptr);
  return is_stored;
}

}  // namespace satchel::test
