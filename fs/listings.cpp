#include "fs/listings.h"

namespace satchel::fs {
namespace {

// An offset has 63 bits: 15 for the number of the listing, 48 for the place in the directory.
constexpr unsigned kPlaceBits = 48;
constexpr std::uint64_t kPlaceMask = (std::uint64_t{1} << kPlaceBits) - 1;
constexpr std::uint64_t kNumberMax = (std::uint64_t{1} << (63 - kPlaceBits)) - 1;

}  // namespace

std::uint64_t Listing::to_kernel(std::uint64_t offset) const {
  SATCHEL_ASSERT(offset <= kPlaceMask);
  return number_ << kPlaceBits | offset;
}

std::uint64_t Listing::from_kernel(std::uint64_t offset) {
  return offset & kPlaceMask;
}

Result<std::shared_ptr<Listing>> Listings::at(NodeId directory, std::uint64_t kernel_offset) {
  if (kernel_offset != 0) {
    const auto known = state_.lock()->recent.find(kernel_offset >> kPlaceBits);
    if (known && (*known)->directory() == directory) return *known;
  }
  SATCHEL_ASSIGN(const HandleId handle, view_.open_directory(directory));
  auto state = state_.lock();
  const std::uint64_t number = state->next_number;
  state->next_number = number == kNumberMax ? 1 : number + 1;
  auto listing = std::make_shared<Listing>(view_, directory, handle, number);
  state->recent.insert(number, listing, 1);
  return listing;
}

void Listings::end(const Listing& listing) {
  auto state = state_.lock();
  const auto known = state->recent.find(listing.number());
  if (known && known->get() == &listing) state->recent.erase(listing.number());
}

}  // namespace satchel::fs
