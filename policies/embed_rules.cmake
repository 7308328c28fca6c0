# Writes OUTPUT, a .cpp with the texts of defaults/*.rules and defaults/cases/*.cases for default_rules.h.
#
#   cmake -D OUTPUT=default_rules.cpp -D "NAMES=10-xdg,12-git" -D FOLDER=policies/defaults -P embed_rules.cmake

string(REPLACE "," ";" names "${NAMES}")

function(embed result folder suffix)
  set(rows "")
  foreach(name IN LISTS names)
    file(READ "${folder}/${name}.${suffix}" text)
    string(APPEND rows
      "      {.name = \"${name}.${suffix}\", .owner = Owner::kShipped, .text = R\"EMBEDDED(${text})EMBEDDED\"},\n")
  endforeach()
  set(${result} "${rows}" PARENT_SCOPE)
endfunction()

embed(rules "${FOLDER}" rules)
embed(cases "${FOLDER}/cases" cases)
file(WRITE "${OUTPUT}" "// Made by embed_rules.cmake.
#include \"policies/default_rules.h\"

#include <vector>

namespace satchel::policies {

// NOLINTBEGIN(readability-function-size): it is the rules that are long
std::span<const RuleFile> default_rule_files() {
  static const std::vector<RuleFile> files = {
${rules}  };
  return files;
}

std::span<const RuleFile> default_case_files() {
  static const std::vector<RuleFile> files = {
${cases}  };
  return files;
}
// NOLINTEND(readability-function-size)

}  // namespace satchel::policies
")
