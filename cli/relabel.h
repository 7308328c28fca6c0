// What other rules would say of the paths of a view.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fs/view_reader.h"
#include "redirector/router.h"

namespace satchel::cli {

/// "sync data", "machine", "local": what becomes of a path, and whose it is.
std::string label_of(const policies::Decision& decision);

struct Relabelled {
  RelativePath path;
  std::string before, after;
};
struct RelabelReport {
  static constexpr std::size_t kFirstMax = 1000;
  std::uint64_t count = 0;
  std::vector<Relabelled> first;  ///< in the order of the paths' names, at most kFirstMax
};

/// Goes through the whole view: costs a step for each name in it. Errors: those of View.
Result<RelabelReport> find_relabelled(const fs::ViewReader& view, const redirector::Router& before,
                                      const redirector::Router& after);

}  // namespace satchel::cli
