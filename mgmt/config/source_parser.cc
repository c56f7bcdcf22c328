#include "mgmt/config/source_parser.h"

#include <fmt/format.h>

#include "mgmt/config/lexer.h"
#include "mgmt/config/search_dirs.h"
#include "mgmt/config/single_line.h"
#include "mgmt/config/source_options.h"

namespace gnomon {
namespace {

/// Adds the line's source, or a warning that says why the line does not count.
void read_sources_line(const std::string& file, int number, std::string_view text,
                       SourcesDirResult& result) {
    const LexedLine lexed = lex_line(text);
    if (lexed.words.empty() && lexed.error.empty()) return;
    std::vector<Diagnostic> found;
    Reporter reporter(file, number, found);
    std::optional<SourceConfig> source;
    if (!lexed.error.empty()) {
        reporter.error({{}, lexed.error_column}, lexed.error);
    } else if (const auto kind = parse_source_kind(lexed.words[0].text); !kind) {
        reporter.error(lexed.words[0],
                       fmt::format("'{}' cannot be used here; expected server, pool "
                                   "or peer",
                                   lexed.words[0].text));
    } else {
        Arguments arguments(lexed.words, reporter);
        source = parse_source(*kind, arguments);
    }
    for (Diagnostic& diagnostic : found) {
        if (diagnostic.severity == Severity::Error) {
            diagnostic.severity = Severity::Warning;
            diagnostic.message += "; the line is skipped";
        }
        result.diagnostics.push_back(std::move(diagnostic));
    }
    if (source) result.sources.push_back(std::move(*source));
}

void read_sources_file(const std::string& path, ConfigFiles& files, SourcesDirResult& result) {
    const std::optional<std::string> text = files.read(path);
    if (!text) {
        result.diagnostics.push_back(
            {Severity::Warning, path, 0, 0, "cannot read the file; it is skipped"});
        return;
    }
    const std::vector<std::string_view> lines = split_lines(*text);
    const bool complete = text->empty() || text->back() == '\n';
    for (std::size_t i = 0; i < lines.size(); ++i) {
        const int number = static_cast<int>(i) + 1;
        if (i + 1 == lines.size() && !complete) {
            result.diagnostics.push_back(
                {Severity::Warning, path, number, 1,
                 "the last line does not end in a newline; it is skipped"});
            return;
        }
        read_sources_line(path, number, lines[i], result);
    }
}

}  // namespace

std::optional<SourceKind> parse_source_kind(std::string_view word) {
    for (const SourceKind kind : {SourceKind::Server, SourceKind::Pool, SourceKind::Peer}) {
        if (equal_ignoring_case(word, to_string(kind))) return kind;
    }
    return std::nullopt;
}

SourceLine parse_source_line(SourceKind kind, const std::vector<std::string>& words) {
    SourceLine result;
    const std::vector<Word> line = line_of(to_string(kind), words);
    Reporter reporter({}, 1, result.diagnostics);
    Arguments arguments(line, reporter);
    result.source = parse_source(kind, arguments);
    return result;
}

SourcesDirResult parse_sources_dir(const std::vector<std::string>& dirs, ConfigFiles& files) {
    return parse_sources_dirs({dirs}, files);
}

SourcesDirResult parse_sources_dirs(const std::vector<std::vector<std::string>>& source_dirs,
                                    ConfigFiles& files) {
    SourcesDirResult result;
    for (const std::vector<std::string>& dirs : source_dirs) {
        for (const std::string& path : search_dirs(dirs, ".sources", files)) {
            read_sources_file(path, files, result);
        }
    }
    return result;
}

}  // namespace gnomon
