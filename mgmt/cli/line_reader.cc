#include "mgmt/cli/line_reader.h"

#include <editline/readline.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "mgmt/cli/commands.h"

namespace gnomon::cli {

namespace {

/// What `text` can become: command names, or what may follow the one typed before.
std::vector<std::string> candidates(const std::string& before, const std::string& text) {
    std::vector<std::string> found;
    const std::vector<std::string> words = split_words(before);
    const auto consider = [&](std::string_view word) {
        if (word.substr(0, text.size()) == text) found.emplace_back(word);
    };
    if (words.empty()) {
        for (const CommandEntry& entry : command_table()) consider(entry.name);
    } else if (words.size() == 1) {
        if (const CommandEntry* entry = find_entry(words[0])) {
            for (const std::string& word : split_words(entry->completions)) consider(word);
        }
    }
    return found;
}

/// The library's convention: malloc'ed strings, the common prefix first, a null pointer last.
char** complete(const char* text, int start, int) {
    rl_attempted_completion_over = 1;
    const std::string before(rl_line_buffer, static_cast<std::size_t>(start));
    const std::vector<std::string> found = candidates(before, text);
    if (found.empty()) return nullptr;
    std::string common = found.front();
    for (const std::string& word : found) {
        std::size_t same = 0;
        while (same < common.size() && same < word.size() && common[same] == word[same]) ++same;
        common.resize(same);
    }
    auto** matches = static_cast<char**>(std::calloc(found.size() + 2, sizeof(char*)));
    if (matches == nullptr) return nullptr;
    matches[0] = strdup(common.c_str());
    for (std::size_t i = 0; i < found.size(); ++i) matches[i + 1] = strdup(found[i].c_str());
    if (found.size() == 1) {
        std::free(matches[1]);
        matches[1] = nullptr;
    }
    return matches;
}

}  // namespace

LineReader::LineReader(bool interactive, std::string prompt)
    : interactive_(interactive), prompt_(std::move(prompt)) {
    if (!interactive_) return;
    rl_attempted_completion_function = complete;
    static char breaks[] = " \t\n\r";
    rl_basic_word_break_characters = breaks;
}

std::optional<std::string> LineReader::next() {
    if (interactive_) {
        const std::unique_ptr<char, decltype(&std::free)> line(readline(prompt_.c_str()),
                                                               &std::free);
        if (line == nullptr) return std::nullopt;
        if (*line != '\0') add_history(line.get());
        return std::string(line.get());
    }
    char buffer[2048];
    if (std::fgets(buffer, sizeof buffer, stdin) == nullptr) return std::nullopt;
    return std::string(buffer);
}

}  // namespace gnomon::cli
