#pragma once

/// The table of directives. A new directive is a row here and a field in config.h; the parser, the
/// `-p` listing, the suggestions and docs/chrony-compat.md follow.
///
/// Internal to mgmt/config.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mgmt/config/arguments.h"
#include "mgmt/config/config.h"
#include "mgmt/config/options.h"

namespace gnomon {

/// Files that a line asks to be read in its place.
struct ReadRequest {
    const Word* pattern = nullptr;  ///< `include`
    std::vector<std::string> dirs;  ///< `confdir`
};

/// What a row's function works on.
struct LineContext {
    Arguments& args;
    Config& config;
    bool restarted = false;  ///< -R
    ReadRequest read{};
    /// Cleared by a row that is NotYet when this line asks for nothing ("ptpport 0").
    bool has_effect = true;
};

struct Directive {
    std::string_view name;
    std::string_view syntax;                ///< Behind the name.
    std::string_view ids;                   ///< Of the compatibility checklist.
    void (*parse)(LineContext&) = nullptr;  ///< nullptr: the arguments are not looked at.
    Support support = Support::Supported;
    /// Of the diagnostic when Ignored or NotYet. Error where going on would change the time or who
    /// is trusted, Warning where nothing but a convenience is lost.
    Severity severity = Severity::Warning;
    std::string_view note{};  ///< What ignoring means, for the diagnostic and the document.
    /// The line that `-p` shows; nullptr: none, because the files it names are shown instead.
    std::string (*print)(const std::vector<Word>& words) = [](const std::vector<Word>& words) {
        return join_words(words);
    };
};

struct DirectiveGroup {
    std::string_view title;
    std::vector<Directive> rows;
};

/// All groups, in the order of the document.
const std::vector<DirectiveGroup>& directive_groups();

/// Ignoring case; nullptr: unknown.
const Directive* find_directive(std::string_view name);

std::vector<std::string_view> directive_names();

// The groups, one source file per area.
DirectiveGroup file_directives();
DirectiveGroup source_directives();
DirectiveGroup selection_directives();
DirectiveGroup clock_directives();
DirectiveGroup server_directives();
DirectiveGroup nts_directives();
DirectiveGroup command_directives();
DirectiveGroup timestamping_directives();
DirectiveGroup rtc_directives();
DirectiveGroup log_directives();
DirectiveGroup process_directives();
DirectiveGroup dataplane_directives();

// Shared with the CLI's forms of the same lines.
std::optional<AccessRule> parse_access(bool allow, Arguments& arguments);
std::optional<LocalConfig> parse_local(Arguments& arguments);
/// `with_kod`: `ratelimit`. The others take no kod.
std::optional<RateLimitConfig> parse_ratelimit(Arguments& arguments, const RateLimitConfig& current,
                                               bool with_kod);

/// One `dataplane dpdk` line while it is read: the port, and the words that its parts came from.
struct DataplanePortLine {
    DataplanePortConfig port;
    Word cores_word;
    Word exception_word;
};

// Option tables, for the document.
const std::vector<Option<DataplanePortLine>>& dataplane_option_table();
const std::vector<Option<LocalConfig>>& local_option_table();
const std::vector<Option<RateLimitConfig>>& ratelimit_option_table(bool with_kod);
const std::vector<Option<HwTimestampConfig>>& hwtimestamp_option_table();
/// Names for `log`: files that nothing writes so far are NotYet.
std::vector<OptionInfo> log_types();
std::vector<std::string_view> open_command_names();

/// A word out of a fixed set, ignoring case.
template <typename E>
struct Choice {
    std::string_view name;
    E value;
};

template <typename E>
bool read_choice(Reporter& report, const Word& word, const std::vector<Choice<E>>& choices,
                 E& value) {
    std::vector<std::string_view> names;
    for (const Choice<E>& choice : choices) {
        if (equal_ignoring_case(choice.name, word.text)) {
            value = choice.value;
            return true;
        }
        names.push_back(choice.name);
    }
    report.error(word, fmt::format("'{}' is unknown; expected {}", word.text, list_of(names)));
    return false;
}

}  // namespace gnomon
