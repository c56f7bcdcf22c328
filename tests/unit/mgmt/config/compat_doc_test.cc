#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>

#include "mgmt/config/directives.h"
#include "mgmt/config/parser.h"

namespace gnomon {
namespace {

TEST(CompatDoc, CommittedFileEqualsTheTable) {
    const std::string path = std::string(GNOMON_SOURCE_DIR) + "/docs/chrony-compat.md";
    const std::string expected = render_compat_table();
    if (const char* regenerate = std::getenv("GNOMON_REGENERATE");
        regenerate != nullptr && std::string(regenerate) == "1") {
        std::ofstream(path) << expected;
    }
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    EXPECT_EQ(text.str(), expected) << "run this test with GNOMON_REGENERATE=1";
}

TEST(CompatDoc, EveryDirectiveOfChronyHasExactlyOneRow) {
    const std::set<std::string_view> chrony{"acquisitionport",
                                            "allow",
                                            "authselectmode",
                                            "bindacqaddress",
                                            "bindacqdevice",
                                            "bindaddress",
                                            "bindcmdaddress",
                                            "bindcmddevice",
                                            "binddevice",
                                            "broadcast",
                                            "clientloglimit",
                                            "clockprecision",
                                            "cmdallow",
                                            "cmddeny",
                                            "cmdport",
                                            "cmdratelimit",
                                            "combinelimit",
                                            "commandkey",
                                            "confdir",
                                            "corrtimeratio",
                                            "deny",
                                            "driftfile",
                                            "dscp",
                                            "dumpdir",
                                            "dumponexit",
                                            "fallbackdrift",
                                            "generatecommandkey",
                                            "hwclockfile",
                                            "hwtimestamp",
                                            "hwtstimeout",
                                            "include",
                                            "initstepslew",
                                            "keyfile",
                                            "leapseclist",
                                            "leapsecmode",
                                            "leapsectz",
                                            "linux_freq_scale",
                                            "linux_hz",
                                            "local",
                                            "lock_all",
                                            "log",
                                            "logbanner",
                                            "logchange",
                                            "logdir",
                                            "mailonchange",
                                            "makestep",
                                            "manual",
                                            "maxchange",
                                            "maxclockerror",
                                            "maxdistance",
                                            "maxdrift",
                                            "maxjitter",
                                            "maxntsconnections",
                                            "maxsamples",
                                            "maxslewrate",
                                            "maxstratum",
                                            "maxtxbuffers",
                                            "maxupdateskew",
                                            "minsamples",
                                            "minsources",
                                            "minstratum",
                                            "nocerttimecheck",
                                            "noclientlog",
                                            "nosystemcert",
                                            "ntpsigndsocket",
                                            "ntsaeads",
                                            "ntscachedir",
                                            "ntsdumpdir",
                                            "ntsntpserver",
                                            "ntsport",
                                            "ntsprocesses",
                                            "ntsratelimit",
                                            "ntsrefresh",
                                            "ntsrotate",
                                            "ntsservercert",
                                            "ntsserverkey",
                                            "ntstrustedcerts",
                                            "opencommands",
                                            "peer",
                                            "pidfile",
                                            "pool",
                                            "port",
                                            "ptpdomain",
                                            "ptpport",
                                            "ratelimit",
                                            "refclock",
                                            "refresh",
                                            "reselectdist",
                                            "rtcautotrim",
                                            "rtcdevice",
                                            "rtcfile",
                                            "rtconutc",
                                            "rtcsync",
                                            "sched_priority",
                                            "server",
                                            "smoothtime",
                                            "sourcedir",
                                            "stratumweight",
                                            "tempcomp",
                                            "user"};
    std::set<std::string_view> rows;
    for (const std::string_view name : directive_names()) {
        EXPECT_TRUE(rows.insert(name).second) << name;
    }
    std::set<std::string_view> own = rows;
    for (const std::string_view name : chrony) EXPECT_EQ(own.erase(name), 1u) << name;
    EXPECT_EQ(own, (std::set<std::string_view>{"dataplane", "maxbound", "serverthreads", "servo",
                                               "shadow", "telemetry"}));
}

}  // namespace
}  // namespace gnomon
