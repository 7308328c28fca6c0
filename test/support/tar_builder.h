// Archives byte by byte, so that a test can make what no tar program would.
#pragma once

#include <cstdint>
#include <string>

namespace satchel::test {

/// A ustar archive. Owners are 0 and times 0, unless the header is changed afterwards.
class TarBuilder {
 public:
  enum Type : char {
    kFile = '0',
    kHardLink = '1',
    kSymlink = '2',
    kFifo = '6',
    kDirectory = '5',
  };

  TarBuilder& add(Type type, const std::string& name, const std::string& content = {},
                  const std::string& link = {}, unsigned mode = 0644) {
    std::string header(kBlock, '\0');
    header.replace(0, name.size(), name);
    put_octal(header, 100, 7, mode);
    put_octal(header, 108, 7, 0);
    put_octal(header, 116, 7, 0);
    put_octal(header, 124, 11, content.size());
    put_octal(header, 136, 11, 0);
    header[156] = type;
    header.replace(157, link.size(), link);
    header.replace(257, 8, std::string("ustar\00000", 8));
    header.replace(148, 8, "        ");
    unsigned sum = 0;
    for (const char byte : header) sum += static_cast<unsigned char>(byte);
    put_octal(header, 148, 6, sum);
    header[154] = '\0';
    bytes_ += header + content;
    bytes_.append((kBlock - content.size() % kBlock) % kBlock, '\0');
    return *this;
  }
  /// Without the two blocks of zeros that end a tar.
  [[nodiscard]] const std::string& members() const { return bytes_; }
  [[nodiscard]] std::string whole() const { return bytes_ + std::string(2 * kBlock, '\0'); }

 private:
  static constexpr std::size_t kBlock = 512;
  static void put_octal(std::string& header, std::size_t offset, std::size_t digits,
                        std::uint64_t number) {
    for (std::size_t i = digits; i > 0; --i, number /= 8) {
      header[offset + i - 1] = static_cast<char>('0' + number % 8);
    }
  }
  std::string bytes_;
};

/// A cpio archive of the "newc" form, in which names of one inode follow each other and the last
/// has the bytes.
class CpioBuilder {
 public:
  CpioBuilder& add(const std::string& name, unsigned mode, unsigned inode, unsigned links,
                   const std::string& content = {}) {
    put("070701");
    const std::size_t numbers[] = {inode, mode, 0, 0, links,           0, content.size(),
                                   0,     0,    0, 0, name.size() + 1, 0};
    for (const std::size_t number : numbers) put_hex(number);
    put(name + '\0');
    pad();
    put(content);
    pad();
    return *this;
  }
  [[nodiscard]] std::string whole() const {
    CpioBuilder end = *this;
    end.add("TRAILER!!!", 0, 0, 1);
    return end.bytes_;
  }

 private:
  void put(const std::string& text) { bytes_ += text; }
  void put_hex(std::size_t number) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    for (unsigned shift = 32; shift > 0; shift -= 4) bytes_ += kDigits[number >> (shift - 4) & 15U];
  }
  void pad() { bytes_.append((4 - bytes_.size() % 4) % 4, '\0'); }
  std::string bytes_;
};

}  // namespace satchel::test
