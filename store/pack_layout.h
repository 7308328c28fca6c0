// The fixed parts of a pack file, as its writer and its reader need them. docs/format.md,
// section 6.
#pragma once

#include <cstddef>
#include <string_view>

namespace satchel::store::pack_layout {

inline constexpr std::string_view kHeaderMagic = "SATPACK0";
inline constexpr std::string_view kFooterMagic = "SATPEND0";
inline constexpr std::size_t kHeaderBytes = 16;
inline constexpr std::size_t kItemBytes = 50;
inline constexpr std::size_t kFooterBytes = 64;

}  // namespace satchel::store::pack_layout
