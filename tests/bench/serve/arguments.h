#pragma once

/// `--name=value` arguments of the bench programs.

#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace gnomon::bench {

class Arguments {
public:
    Arguments(int argc, char** argv) : arguments_(argv + 1, argv + argc) {}

    std::string text(std::string_view name, std::string fallback) const {
        const std::string prefix = "--" + std::string(name) + "=";
        for (const std::string& argument : arguments_) {
            if (argument.compare(0, prefix.size(), prefix) == 0) {
                return argument.substr(prefix.size());
            }
        }
        return fallback;
    }
    double number(std::string_view name, double fallback) const {
        const std::string value = text(name, "");
        return value.empty() ? fallback : std::strtod(value.c_str(), nullptr);
    }
    bool flag(std::string_view name) const {
        const std::string wanted = "--" + std::string(name);
        for (const std::string& argument : arguments_) {
            if (argument == wanted) return true;
        }
        return false;
    }

private:
    std::vector<std::string> arguments_;
};

}  // namespace gnomon::bench
