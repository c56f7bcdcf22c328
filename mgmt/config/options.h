#pragma once

/// Tables of options: "name" or "name value" words behind a directive.
///
/// Internal to mgmt/config. The same rows drive the parser, its suggestions and the generated
/// document.

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <vector>

#include "mgmt/config/arguments.h"

namespace gnomon {

enum class Support : std::uint8_t {
    Supported,
    Ignored,  ///< Obsolete in chrony as well: accepted, with a warning, without effect.
    NotYet,   ///< Known, but nothing acts on it so far.
};

template <typename Target>
struct Option {
    std::string_view name;
    /// What the document calls the value; empty: the option takes none.
    std::string_view value;
    std::string_view id;
    /// False: a diagnostic was added. `value` is the name itself for options without a value.
    bool (*apply)(Target& target, const Word& value, Reporter& report);
    Support support = Support::Supported;
};

/// What the document needs to know about any option.
struct OptionInfo {
    std::string_view name;
    std::string_view value;
    std::string_view id;
    Support support = Support::Supported;
};

template <typename Target>
std::vector<OptionInfo> describe(const std::vector<Option<Target>>& table) {
    std::vector<OptionInfo> infos;
    for (const Option<Target>& option : table) {
        infos.push_back({option.name, option.value, option.id, option.support});
    }
    return infos;
}

/// Applies all remaining words of `arguments`. Goes on behind mistakes; false if there were any.
template <typename Target>
bool parse_options(Arguments& arguments, const std::vector<Option<Target>>& table, Target& target) {
    bool good = true;
    while (const Word* name = arguments.next()) {
        const Option<Target>* found = nullptr;
        for (const Option<Target>& option : table) {
            if (equal_ignoring_case(option.name, name->text)) found = &option;
        }
        if (found == nullptr) {
            std::vector<std::string_view> names;
            for (const Option<Target>& option : table) names.push_back(option.name);
            arguments.report().error(
                *name, fmt::format("unknown option '{}' of {}{}", name->text,
                                   arguments.directive().text, did_you_mean(name->text, names)));
            // The value of a misspelt option is no mistake of its own.
            const std::string_view meant = closest(name->text, names);
            for (const Option<Target>& option : table) {
                if (!meant.empty() && option.name == meant && !option.value.empty()) {
                    arguments.next();
                    break;
                }
            }
            good = false;
            continue;
        }
        const Word* value = found->value.empty() ? name : arguments.next_value(*name);
        if (found->support == Support::NotYet) {
            arguments.report().error(
                *name, fmt::format("option '{}' of {} is not supported yet ({})", found->name,
                                   arguments.directive().text, found->id));
            good = false;
            continue;
        }
        if (value == nullptr || !found->apply(target, *value, arguments.report())) good = false;
    }
    return good;
}

}  // namespace gnomon
