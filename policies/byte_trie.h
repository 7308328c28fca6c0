// Keys by their first bytes: which of many keys does a text begin with?
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace satchel::policies {

/// Numbers under byte strings. A look-up costs the bytes that some key shares with the text,
/// however many keys there are. A value.
class ByteTrie {
 public:
  /// `bytes` is any range of char; a key may hold several numbers.
  template <typename Bytes>
  void add(const Bytes& bytes, std::uint32_t number) {
    std::size_t node = 0;
    for (const char byte : bytes) {
      const auto edge = find(nodes_[node], byte);
      if (edge != nodes_[node].edges.end() && edge->first == byte) {
        node = edge->second;
        continue;
      }
      const auto child = static_cast<std::uint32_t>(nodes_.size());
      nodes_[node].edges.insert(edge, {byte, child});
      nodes_.emplace_back();
      node = child;
    }
    nodes_[node].numbers.push_back(number);
  }

  /// Calls `visit` with each number whose key `bytes` begins with.
  template <typename Bytes, typename Visit>
  void each_beginning_of(const Bytes& bytes, const Visit& visit) const {
    const Node* node = &nodes_.front();
    for (const char byte : bytes) {
      for (const std::uint32_t number : node->numbers) visit(number);
      const auto edge = find(*node, byte);
      if (edge == node->edges.end() || edge->first != byte) return;
      node = &nodes_[edge->second];
    }
    for (const std::uint32_t number : node->numbers) visit(number);
  }

 private:
  struct Node {
    std::vector<std::pair<char, std::uint32_t>> edges;  ///< ascending
    std::vector<std::uint32_t> numbers;
  };
  template <typename AnyNode>
  static auto find(AnyNode& node, char byte) {
    return std::ranges::lower_bound(node.edges, byte, {}, &std::pair<char, std::uint32_t>::first);
  }

  std::vector<Node> nodes_ = std::vector<Node>(1);
};

}  // namespace satchel::policies
