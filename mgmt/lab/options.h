#pragma once

/// The command line of `gnomon-lab`.

#include <cstdint>
#include <string>

namespace gnomon {

struct LabOptions {
    enum class Action { Replay, Summary, Help, Refuse };
    Action action = Action::Refuse;
    std::string error;  ///< with Refuse: why

    std::string file;
    std::string config_file;  ///< empty: everybody is served, nobody is limited
    std::string output_file;  ///< empty: replies are not written
    double speed = 0.0;       ///< times the capture's pace; 0: as fast as possible
    std::uint32_t burst = 32;
    std::uint64_t seed = 1;
    std::uint32_t clients = 10;  ///< in the summary
};

LabOptions parse_lab_options(int argc, const char* const argv[]);
std::string lab_help();

}  // namespace gnomon
