/// Arbitrary bytes as a configuration file, a *.sources file and a CLI line: no crash, and every
/// source that is accepted can be written and read back.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "mgmt/config/lexer.h"
#include "mgmt/config/option_lines.h"
#include "mgmt/config/parser.h"
#include "mgmt/config/source_parser.h"
#include "mgmt/config/subnet.h"

namespace {

/// Every path holds the same bytes, so that any include finds something.
class OneFile : public gnomon::ConfigFiles {
public:
    explicit OneFile(std::string text) : text_(std::move(text)) {}

    std::optional<std::string> read(const std::string& path) override {
        // Without limits, lines of includes would multiply at each of ten levels; and a long text
        // says no more the tenth time, while short ones should reach every level.
        read_bytes_ += text_.size();
        if (path == "/missing" || ++reads_ > 12 || (reads_ > 2 && read_bytes_ > kMaxBytes)) {
            return std::nullopt;
        }
        return text_;
    }
    std::vector<std::string> glob(const std::string&) override { return {"/a", "/b"}; }
    std::vector<std::string> list_dir(const std::string&, const std::string& suffix) override {
        return {"x" + suffix};
    }

private:
    static constexpr std::size_t kMaxBytes = 4096;

    std::string text_;
    std::size_t read_bytes_ = 0;
    int reads_ = 0;
};

void check(bool holds) {
    if (!holds) std::abort();
}

void check_round_trip(const gnomon::SourceConfig& source) {
    std::vector<std::string> words;
    for (const gnomon::Word& word : gnomon::lex_line(to_line(source)).words)
        words.push_back(word.text);
    check(words.size() >= 2);
    words.erase(words.begin());
    const gnomon::SourceLine again = gnomon::parse_source_line(source.kind, words);
    check(again.source.has_value() && *again.source == source);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string text(reinterpret_cast<const char*>(data), size);
    OneFile files(text);
    const gnomon::ParseOptions options{gnomon::default_config(gnomon::Personality::Gnomon)};
    const gnomon::ParsedConfig result = gnomon::parse_config_file("/main", files, options);
    for (const gnomon::Diagnostic& diagnostic : result.diagnostics) {
        check(!diagnostic.to_string().empty());
        check(diagnostic.line >= 0 && diagnostic.column >= 0);
    }
    gnomon::print_config(result.config);
    for (const gnomon::SourceConfig& source : result.config.client.sources)
        check_round_trip(source);

    OneFile source_files(text);
    const gnomon::SourcesDirResult listed = gnomon::parse_sources_dir({"/s"}, source_files);
    check(!gnomon::has_errors(listed.diagnostics));
    for (const gnomon::SourceConfig& source : listed.sources) check_round_trip(source);

    const gnomon::SubnetResult subnet = gnomon::parse_subnet(text);
    check(subnet.subnet.has_value() == subnet.error.empty());
    std::vector<std::string> words;
    for (const gnomon::Word& word : gnomon::lex_line(text).words) words.push_back(word.text);
    gnomon::parse_local_line(words);
    gnomon::parse_ratelimit_line(words);
    gnomon::parse_access_line(true, "allow", words);
    return 0;
}
