// Result<T>: how every function that can fail in a correct program answers.
#pragma once

#include <tl/expected.hpp>
#include <utility>

#include "base/error.h"

namespace satchel {

/// A value or an Error. Over tl::expected, and [[nodiscard]], which that is not.
template <typename T>
class [[nodiscard]] Result : public tl::expected<T, Error> {
 public:
  using tl::expected<T, Error>::expected;
  Result(Error error)  // NOLINT(google-explicit-constructor): `return Error{…};` is the point
      : tl::expected<T, Error>(tl::unexpect, std::move(error)) {}
};

namespace detail {
/// Stops the process: a stopped mount loses less than a wrong one.
[[noreturn]] void assertion_failed(const char* condition, const char* file, int line);
}  // namespace detail

}  // namespace satchel

#define SATCHEL_DETAIL_CONCAT2(a, b) a##b
#define SATCHEL_DETAIL_CONCAT(a, b) SATCHEL_DETAIL_CONCAT2(a, b)

/// Leaves the function with the Error of `expr`, if it has one.
#define SATCHEL_TRY(expr)                                                        \
  do {                                                                           \
    auto&& satchel_detail_result = (expr);                                       \
    if (!satchel_detail_result) return std::move(satchel_detail_result).error(); \
  } while (false)

// NOLINTBEGIN(bugprone-macro-parentheses): the arguments are declarations
/// `SATCHEL_ASSIGN(auto x, f());` declares or assigns x, or leaves the function with f's Error.
#define SATCHEL_ASSIGN(target, expr) \
  SATCHEL_DETAIL_ASSIGN(SATCHEL_DETAIL_CONCAT(satchel_detail_result_, __LINE__), target, expr)
#define SATCHEL_DETAIL_ASSIGN(temporary, target, expr)   \
  auto&& temporary = (expr);                             \
  if (!(temporary)) return std::move(temporary).error(); \
  target = *std::move(temporary)
// NOLINTEND(bugprone-macro-parentheses)

/// An invariant; on in release builds too.
#define SATCHEL_ASSERT(condition) \
  ((condition) ? void() : ::satchel::detail::assertion_failed(#condition, __FILE__, __LINE__))
