#include "dataplane/wire/key_file.h"

#include <array>
#include <charconv>
#include <optional>
#include <unordered_set>

namespace gnomon {
namespace {

bool is_space(char c) noexcept { return c == ' ' || (c >= '\t' && c <= '\r'); }

struct Word {
    std::string_view text;
    std::size_t column = 0;  // from 1
};

/// At most four words: the fourth only shows that there are too many.
struct Words {
    std::array<Word, 4> words;
    std::size_t count = 0;
};

Words split(std::string_view line) {
    Words result;
    std::size_t at = 0;
    while (result.count < result.words.size()) {
        while (at < line.size() && is_space(line[at])) ++at;
        if (at == line.size()) break;
        const std::size_t begin = at;
        while (at < line.size() && !is_space(line[at])) ++at;
        result.words[result.count++] = {line.substr(begin, at - begin), begin + 1};
    }
    return result;
}

std::optional<std::uint8_t> hex_digit(char c) noexcept {
    if (c >= '0' && c <= '9') return static_cast<std::uint8_t>(c - '0');
    if (c >= 'a' && c <= 'f') return static_cast<std::uint8_t>(c - 'a' + 10);
    if (c >= 'A' && c <= 'F') return static_cast<std::uint8_t>(c - 'A' + 10);
    return std::nullopt;
}

std::optional<std::vector<std::uint8_t>> decode_hex(std::string_view digits) {
    if (digits.empty() || digits.size() % 2 != 0) return std::nullopt;
    std::vector<std::uint8_t> bytes;
    bytes.reserve(digits.size() / 2);
    for (std::size_t i = 0; i < digits.size(); i += 2) {
        const auto high = hex_digit(digits[i]);
        const auto low = hex_digit(digits[i + 1]);
        if (!high || !low) return std::nullopt;
        bytes.push_back(static_cast<std::uint8_t>(*high << 4 | *low));
    }
    return bytes;
}

std::optional<std::vector<std::uint8_t>> decode_secret(std::string_view text) {
    constexpr std::string_view kAscii = "ASCII:";
    constexpr std::string_view kHex = "HEX:";
    if (text.substr(0, kHex.size()) == kHex) return decode_hex(text.substr(kHex.size()));
    if (text.substr(0, kAscii.size()) == kAscii) text.remove_prefix(kAscii.size());
    if (text.empty()) return std::nullopt;
    return std::vector<std::uint8_t>(text.begin(), text.end());
}

std::optional<std::uint32_t> decode_id(std::string_view text) {
    std::uint32_t id = 0;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, id);
    if (error != std::errc() || stop != end) return std::nullopt;
    return id;
}

class KeyFileParser {
public:
    void parse_line(std::string_view line, std::size_t number) {
        line_ = number;
        if (line.size() > kMaxKeyLine) return error(1, "line too long");
        const Words words = split(line);
        if (words.count == 0) return;
        constexpr std::string_view kCommentMarks = "!;#%";
        if (kCommentMarks.find(words.words[0].text[0]) != std::string_view::npos) return;
        if (words.count == 1) return error(words.words[0].column, "expected ID [TYPE] KEY");
        if (words.count == 4) return error(words.words[3].column, "unexpected text after the key");
        parse_key(words);
    }

    KeyFile take() { return std::move(file_); }

private:
    void parse_key(const Words& words) {
        const auto id = decode_id(words.words[0].text);
        if (!id) return error(words.words[0].column, "invalid key ID");
        const std::string name = " key " + std::to_string(*id);
        const Word& secret_word = words.words[words.count - 1];
        KeyType type = KeyType::Md5;
        if (words.count == 3) {
            const Word& type_word = words.words[1];
            const auto known = parse_key_type(type_word.text);
            if (!known) return error(type_word.column, "invalid type in" + name);
            type = *known;
            if (!is_supported(type)) {
                return error(type_word.column,
                             std::string(to_string(type)) + " is not supported in" + name);
            }
        }
        const auto secret = decode_secret(secret_word.text);
        if (!secret) return error(secret_word.column, "could not decode" + name);
        const std::size_t required = required_key_size(type);
        if (required != 0 && secret->size() != required) {
            return error(secret_word.column, "invalid length of " + std::string(to_string(type)) +
                                                 name + " (expected " +
                                                 std::to_string(8 * required) + " bits)");
        }
        if (!ids_.insert(*id).second) warning(words.words[0].column, "duplicate" + name);
        file_.keys.emplace_back(*id, type, *secret);
        if (!file_.keys.back().is_long_enough()) {
            warning(secret_word.column, "less than 80 bits in" + name);
        }
    }

    void error(std::size_t column, std::string message) {
        file_.diagnostics.push_back(
            {KeyFileDiagnostic::Severity::Error, line_, column, std::move(message)});
    }
    void warning(std::size_t column, std::string message) {
        file_.diagnostics.push_back(
            {KeyFileDiagnostic::Severity::Warning, line_, column, std::move(message)});
    }

    KeyFile file_;
    std::unordered_set<std::uint32_t> ids_;
    std::size_t line_ = 0;
};

}  // namespace

KeyFile parse_key_file(std::string_view text) {
    KeyFileParser parser;
    for (std::size_t number = 1; !text.empty(); ++number) {
        const std::size_t end = text.find('\n');
        parser.parse_line(text.substr(0, end), number);
        if (end == std::string_view::npos) break;
        text.remove_prefix(end + 1);
    }
    return parser.take();
}

}  // namespace gnomon
