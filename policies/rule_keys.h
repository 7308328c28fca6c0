// The `key=value` words of a rule.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "policies/rule_lexer.h"
#include "policies/rule_parser.h"

namespace satchel::policies {

/// Told of each mistake: column, message, suggestion.
using ReportFault =
    std::function<void(std::size_t column, std::string message, std::string_view suggestion)>;

/// Puts what `words` say into `rule`, each key at most once. False after a fault. A group is the
/// NAME alone here.
bool read_keys(std::span<const Word> words, Rule& rule, const ReportFault& report);

/// [a-z0-9][a-z0-9._-]{0,62}: what applications and groups are called.
bool is_plain_name(std::string_view text);

/// `text` in backquotes, short and without control bytes.
std::string quoted(std::string_view text);

}  // namespace satchel::policies
