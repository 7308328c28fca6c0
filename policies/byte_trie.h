// Keys by their first bytes: which of many keys does a text begin with?
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace satchel::policies {

/// Numbers under byte strings. A look-up costs the bytes that some key shares with the text,
/// however many keys there are. A value.
class ByteTrie {
 public:
  /// The bytes from `at` to `end`, iterators of either direction. A key may hold several numbers.
  template <typename Iterator>
  void add(Iterator at, Iterator end, std::uint32_t number) {
    std::size_t node = 0;
    for (; at != end; ++at) {
      const std::size_t edge = find_edge(nodes_[node], *at);
      if (!has_edge(nodes_[node], edge, *at)) {
        const auto child = static_cast<std::uint32_t>(nodes_.size());
        auto& edges = nodes_[node].edges;
        edges.insert(edges.begin() + static_cast<std::ptrdiff_t>(edge), {*at, child});
        nodes_.emplace_back();
      }
      node = nodes_[node].edges[edge].second;
    }
    nodes_[node].numbers.push_back(number);
  }

  /// Calls `visit` with each number whose key the bytes begin with.
  template <typename Iterator, typename Visit>
  void each_beginning_of(Iterator at, Iterator end, const Visit& visit) const {
    for (std::size_t node = 0;; ++at) {
      for (const std::uint32_t number : nodes_[node].numbers) visit(number);
      if (at == end) return;
      const std::size_t edge = find_edge(nodes_[node], *at);
      if (!has_edge(nodes_[node], edge, *at)) return;
      node = nodes_[node].edges[edge].second;
    }
  }

 private:
  struct Node {
    std::vector<std::pair<char, std::uint32_t>> edges;  ///< ascending
    std::vector<std::uint32_t> numbers;
  };
  /// Where the edge of `byte` is, or belongs.
  static std::size_t find_edge(const Node& node, char byte) {
    const auto edge = std::lower_bound(
        node.edges.begin(), node.edges.end(), byte,
        [](const std::pair<char, std::uint32_t>& a, char b) { return a.first < b; });
    return static_cast<std::size_t>(edge - node.edges.begin());
  }
  static bool has_edge(const Node& node, std::size_t edge, char byte) {
    return edge < node.edges.size() && node.edges[edge].first == byte;
  }

  std::vector<Node> nodes_ = std::vector<Node>(1);
};

}  // namespace satchel::policies
