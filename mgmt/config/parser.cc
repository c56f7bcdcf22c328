#include "mgmt/config/parser.h"

#include <fmt/format.h>

#include <algorithm>

#include "mgmt/config/directives.h"
#include "mgmt/config/lexer.h"
#include "mgmt/config/search_dirs.h"

namespace gnomon {
namespace {

/// The main file is the first level.
constexpr std::size_t kMaxIncludeLevel = 10;

class Parser {
public:
    Parser(ConfigFiles& files, const ParseOptions& options)
        : files_(files), restarted_(options.restarted) {
        result_.config = options.initial;
    }

    /// `from`: the word that asked for the file; nullptr for the main one.
    void read_file(const std::string& path, const Word* from, Reporter* reporter) {
        std::string problem;
        if (std::find(open_.begin(), open_.end(), path) != open_.end()) {
            problem = fmt::format("'{}' includes itself", path);
        } else if (open_.size() == kMaxIncludeLevel) {
            problem = fmt::format(
                "'{}' would be the {}th level of included files; at most {} are "
                "allowed",
                path, kMaxIncludeLevel + 1, kMaxIncludeLevel);
        }
        std::optional<std::string> text;
        if (problem.empty()) {
            text = files_.read(path);
            if (!text) problem = fmt::format("cannot read '{}'", path);
        }
        if (!problem.empty()) {
            if (reporter != nullptr) {
                reporter->error(*from, problem);
            } else {
                result_.diagnostics.push_back({Severity::Error, path, 0, 0,
                                               "cannot read the file (missing, or no right to)"});
            }
            return;
        }
        open_.push_back(path);
        int number = 0;
        for (const std::string_view line : split_lines(*text)) parse_line(path, ++number, line);
        open_.pop_back();
    }

    void parse_line(const std::string& file, int number, std::string_view line) {
        const LexedLine lexed = lex_line(line);
        if (!lexed.error.empty()) {
            result_.diagnostics.push_back(
                {Severity::Error, file, number, lexed.error_column, lexed.error});
        }
        if (lexed.words.empty()) return;

        Reporter reporter(file, number, result_.diagnostics);
        const Word& name = lexed.words[0];
        const Directive* directive = find_directive(name.text);
        if (directive == nullptr) {
            reporter.error(name, fmt::format("unknown directive '{}'{}", name.text,
                                             did_you_mean(name.text, directive_names())));
            result_.config.effective_lines.push_back({file, number, join_words(lexed.words)});
            return;
        }
        if (directive->print != nullptr) {
            result_.config.effective_lines.push_back({file, number, directive->print(lexed.words)});
        }
        Arguments arguments(lexed.words, reporter);
        LineContext context{arguments, result_.config, restarted_};
        if (directive->parse != nullptr) directive->parse(context);
        if (context.has_effect) report_support(*directive, name, reporter);
        follow(context.read, name, reporter);
    }

    ParsedConfig take() { return std::move(result_); }

private:
    static void report_support(const Directive& directive, const Word& name, Reporter& reporter) {
        if (directive.support == Support::Supported) return;
        std::string message = directive.support == Support::Ignored
                                  ? fmt::format("'{}' has no effect", directive.name)
                                  : fmt::format("'{}' is not supported yet", directive.name);
        if (!directive.note.empty()) message += fmt::format(": {}", directive.note);
        if (directive.severity == Severity::Error) {
            reporter.error(name, message);
        } else {
            reporter.warning(name, message);
        }
    }

    void follow(const ReadRequest& read, const Word& name, Reporter& reporter) {
        if (read.pattern != nullptr) include(*read.pattern, reporter);
        if (read.dirs.empty()) return;
        for (const std::string& path : search_dirs(read.dirs, ".conf", files_)) {
            read_file(path, &name, &reporter);
        }
    }

    void include(const Word& pattern, Reporter& reporter) {
        if (pattern.text.find_first_of("*?[") == std::string::npos) {
            read_file(pattern.text, &pattern, &reporter);
            return;
        }
        const std::vector<std::string> paths = files_.glob(pattern.text);
        if (paths.empty()) {
            // chrony documents an error but starts all the same, and packages rely on that.
            reporter.warning(pattern, fmt::format("no file matches '{}'", pattern.text));
        }
        for (const std::string& path : paths) read_file(path, &pattern, &reporter);
    }

    ConfigFiles& files_;
    bool restarted_ = false;
    ParsedConfig result_;
    std::vector<std::string> open_;  ///< The chain of files being read.
};

}  // namespace

ParsedConfig parse_config_file(const std::string& path, ConfigFiles& files,
                               const ParseOptions& options) {
    Parser parser(files, options);
    parser.read_file(path, nullptr, nullptr);
    return parser.take();
}

ParsedConfig parse_config_lines(const std::vector<std::string>& lines, ConfigFiles& files,
                                const ParseOptions& options) {
    Parser parser(files, options);
    int number = 0;
    for (const std::string& line : lines) parser.parse_line(kCommandLine, ++number, line);
    return parser.take();
}

std::string print_config(const Config& config) {
    std::string text;
    for (const EffectiveLine& line : config.effective_lines) {
        text += line.text;
        text += '\n';
    }
    return text;
}

}  // namespace gnomon
