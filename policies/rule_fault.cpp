#include "policies/rule_fault.h"

#include <algorithm>
#include <ostream>
#include <vector>

#include "base/path.h"

namespace satchel::policies {
namespace {

constexpr std::size_t kComparedBytesMax = 32;

/// How many bytes to insert, remove, change or swap with their neighbour.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> cost(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) {
    for (std::size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        cost[i][j] = i + j;
        continue;
      }
      cost[i][j] = std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1,
                             cost[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0U : 1U)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
      }
    }
  }
  return cost[a.size()][b.size()];
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const RuleFault& fault) {
  return out << to_text(fault);
}

std::string to_text(const RuleFault& fault) {
  std::string text = escape_for_display(fault.file);
  if (fault.line > 0) {
    text += ":" + std::to_string(fault.line) + ":" + std::to_string(fault.column);
  }
  text += ": " + fault.message;
  if (!fault.suggestion.empty()) text += ", did you mean `" + fault.suggestion + "`?";
  return text;
}

Error error_of(std::span<const RuleFault> faults) {
  SATCHEL_ASSERT(!faults.empty());
  Error error{.code = EINVAL,
              .sat = Sat::kRuleSyntax,
              .hint = "`satchel rules check` reads the rules again; satchel-rules(5) has the form"};
  for (const RuleFault& fault : faults) {
    if (!error.message.empty()) error.message += '\n';
    error.message += to_text(fault);
    if (fault.is_newer_format) error.sat = Sat::kNewerFormat;
  }
  return error;
}

std::string_view nearest_of(std::string_view text, std::span<const std::string_view> known) {
  if (text.size() > kComparedBytesMax) return {};
  std::string_view nearest;
  std::size_t least = std::max<std::size_t>(text.size() / 3, 1) + 1;
  for (const std::string_view word : known) {
    const std::size_t distance = edit_distance(text, word);
    if (distance < least) {
      least = distance;
      nearest = word;
    }
  }
  return nearest;
}

}  // namespace satchel::policies
