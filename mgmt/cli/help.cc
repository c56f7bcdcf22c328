#include <string>

#include <fmt/format.h>

#include "mgmt/cli/commands.h"

namespace gnomon::cli {

namespace {

/// A section when `meaning` is null.
struct HelpLine {
    const char* usage;
    const char* meaning;
};

constexpr HelpLine kHelp[] = {
    {"System clock", nullptr},
    {"tracking", "How the system clock does"},
    {"state", "Locked or not, since when, why, and how wrong it may be"},
    {"makestep", "Step the clock by what is left to correct"},
    {"makestep <threshold> <updates>", "When to step automatically"},
    {"maxupdateskew <skew>", "Largest skew of a usable frequency estimate"},
    {"waitsync [<max-tries> [<max-correction> [<max-skew> [<interval>]]]]",
     "Wait until synchronised within the limits"},
    {"Time sources", nullptr},
    {"sources [-a] [-v]", "The sources and their last samples"},
    {"sourcestats [-a] [-v]", "Drift and offset estimates of the sources"},
    {"servos [-a] [-v]", "The servo that steers and those in its shadow, compared"},
    {"selectdata [-a] [-v]", "How sources were selected"},
    {"selectopts <address|refid> <+|-options>", "Change selection options"},
    {"reselect", "Select again now"},
    {"reselectdist <dist>", "Distance that favours the selected source"},
    {"offset <address|refid> <offset>", "Change the offset correction"},
    {"NTP sources", nullptr},
    {"activity", "How many sources are online"},
    {"authdata [-a] [-v]", "Authentication of the sources"},
    {"ntpdata [<address>]", "The last valid measurement"},
    {"add server <name> [options]", "Add a server"},
    {"add pool <name> [options]", "Add a pool of servers"},
    {"add peer <name> [options]", "Add a peer"},
    {"delete <address>", "Remove a source"},
    {"burst <n-good>/<n-max> [[<mask>/]<address>]", "Measure quickly several times"},
    {"maxdelay <address> <delay>", "Largest delay of a usable sample"},
    {"maxdelayratio <address> <ratio>", "… relative to the smallest delay"},
    {"maxdelaydevratio <address> <ratio>", "… relative to the deviation"},
    {"minpoll <address> <poll>", "Shortest polling interval"},
    {"maxpoll <address> <poll>", "Longest polling interval"},
    {"minstratum <address> <stratum>", "Lowest stratum to assume"},
    {"offline [[<mask>/]<address>]", "Stop polling"},
    {"online [[<mask>/]<address>]", "Resume polling"},
    {"onoffline", "Online or offline by the routes of the network"},
    {"polltarget <address> <target>", "Samples to keep by adapting the interval"},
    {"refresh", "Resolve the names again"},
    {"reload sources", "Read the *.sources files again"},
    {"sourcename <address>", "The name as configured"},
    {"Manual time input", nullptr},
    {"manual off|on|reset", "Disable, enable or restart settime"},
    {"manual list", "The times entered so far"},
    {"manual delete <index>", "Forget one of them"},
    {"settime <time>", "Enter the time (Sep 25, 2015 16:30:05 or 16:30:05)"},
    {"NTP access", nullptr},
    {"accheck <address>", "Is this address served?"},
    {"clients [-p <packets>] [-k] [-r]", "Who asked"},
    {"serverstats", "Counters of the server"},
    {"top [<n>]", "Who asks most, how fast and how"},
    {"analytics", "What requests look like"},
    {"dataplane", "Ports polled past the kernel"},
    {"allow [<subnet>]", "Serve a subnet"},
    {"allow all [<subnet>]", "Serve a subnet and all within"},
    {"deny [<subnet>]", "Do not serve a subnet"},
    {"deny all [<subnet>]", "Do not serve a subnet and all within"},
    {"local [options]", "Serve time even when not synchronised"},
    {"local off", "Serve time only when synchronised"},
    {"smoothtime reset|activate", "Restart or start smoothing of served time"},
    {"smoothing", "State of the smoothing"},
    {"Monitoring access", nullptr},
    {"cmdaccheck <address>", "May this address monitor?"},
    {"cmdallow [<subnet>]", "Let a subnet monitor"},
    {"cmdallow all [<subnet>]", "Let a subnet and all within monitor"},
    {"cmddeny [<subnet>]", "Do not let a subnet monitor"},
    {"cmddeny all [<subnet>]", "Do not let a subnet and all within monitor"},
    {"Real-time clock", nullptr},
    {"rtcdata", "State of the RTC"},
    {"trimrtc", "Set the RTC by the system clock"},
    {"writertc", "Save the RTC parameters"},
    {"Daemon", nullptr},
    {"cyclelogs", "Close and open the log files"},
    {"dump", "Save measurements, NTS keys and cookies"},
    {"rekey", "Read the keys again"},
    {"reset sources", "Drop all measurements"},
    {"shutdown", "Stop the daemon"},
    {"capture start <file> [seconds <n>] [size <MB>] [packets <n>] [port <name>]",
     "Write what the ports receive and send to a pcapng file"},
    {"capture stop", "End the capture"},
    {"capture status", "How it does"},
    {"This program", nullptr},
    {"dns -n|+n", "Addresses or names in reports"},
    {"dns -4|-6|-46", "Look names up in IPv4, IPv6 or both"},
    {"timeout <milliseconds>", "First wait for an answer"},
    {"retries <retries>", "How often to ask again"},
    {"keygen [<id> [<type> [<bits>]]]", "Make a key for the key file"},
    {"exit|quit", "Leave"},
    {"help", "Print this help"},
};

}  // namespace

std::string help_text() {
    constexpr std::size_t kColumn = 32;
    std::string text;
    for (const HelpLine& line : kHelp) {
        const std::string usage(line.usage);
        if (line.meaning == nullptr) {
            text += fmt::format("{}{}:\n", text.empty() ? "" : "\n", usage);
        } else if (usage.size() + 2 > kColumn) {
            text += fmt::format("  {}\n  {:{}}{}\n", usage, "", kColumn, line.meaning);
        } else {
            text += fmt::format("  {:<{}}{}\n", usage, kColumn, line.meaning);
        }
    }
    // The list ends with a line of blanks: that is how scripts find the end of chronyc's.
    text += fmt::format("{:{}}\n", "", kColumn);
    return text;
}

}  // namespace gnomon::cli
