// A process in which link(2) does not exist, as on FAT.
#pragma once

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <array>
#include <cerrno>
#include <cstddef>

namespace satchel::test {

/// From now on link() and linkat() of this process answer EPERM. There is no way back, so only for
/// a forked child. False if seccomp is not to be had.
inline bool forbid_link() {
  const auto equals = [](unsigned number) {
    return std::array<sock_filter, 2>{
        sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
        sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)};
  };
#ifdef SYS_link
  const auto link = equals(SYS_link);
#else
  const auto link = equals(SYS_linkat);
#endif
  const auto linkat = equals(SYS_linkat);
  std::array<sock_filter, 6> filter = {
      sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      link[0],
      link[1],
      linkat[0],
      linkat[1],
      sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  sock_fprog program{.len = filter.size(), .filter = filter.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

}  // namespace satchel::test
