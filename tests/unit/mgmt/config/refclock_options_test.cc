#include "mgmt/config/refclock_options.h"

#include <gtest/gtest.h>

#include "mgmt/config/config.h"
#include "tests/unit/mgmt/config/parse_helpers.h"

namespace gnomon {
namespace {

RefclockConfig parsed(const std::string& line) {
    const ParsedConfig result = parse_text(line);
    EXPECT_TRUE(result.diagnostics.empty()) << all_text(result.diagnostics);
    EXPECT_EQ(result.config.refclocks.size(), 1u) << line;
    return result.config.refclocks.empty() ? RefclockConfig() : result.config.refclocks[0];
}

TEST(RefclockLine, DefaultsAreChronys) {
    const RefclockConfig refclock = parsed("refclock SHM 0");
    EXPECT_EQ(refclock.device.kind, RefclockKind::Shm);
    EXPECT_EQ(refclock.device.unit, 0);
    EXPECT_EQ(refclock.device.mode, 0600u);
    EXPECT_EQ(refclock.options, RefclockOptions());
    EXPECT_EQ(refclock.options.poll_log2_s, 4);
    EXPECT_EQ(refclock.options.filter_samples, 64);
    EXPECT_EQ(refclock.options.delay_s, 1e-9);
}

TEST(RefclockLine, ReadsEveryOption) {
    const RefclockOptions o =
        parsed(
            "refclock PPS /dev/pps0 poll 3 dpoll -2 refid GPS lock NMEA rate 5 maxlockage 3 "
            "width 0.1 pps offset -0.5 delay 0.01 stratum 3 precision 1e-6 maxdispersion 0.2 "
            "filter 16 prefer noselect trust require tai local minsamples 4 maxsamples 20 "
            "maxunreach 7")
            .options;
    EXPECT_EQ(o.poll_log2_s, 3);
    EXPECT_EQ(o.driver_poll_log2_s, -2);
    EXPECT_EQ(o.ref_id, RefId::from_text("GPS"));
    EXPECT_EQ(o.lock, RefId::from_text("NMEA"));
    EXPECT_EQ(o.rate_hz, 5);
    EXPECT_EQ(o.max_lock_age_pulses, 3);
    EXPECT_EQ(o.pulse_width_s, 0.1);
    EXPECT_EQ(o.offset_s, -0.5);
    EXPECT_EQ(o.delay_s, 0.01);
    EXPECT_EQ(o.stratum, 3);
    EXPECT_EQ(o.precision_s, 1e-6);
    EXPECT_EQ(o.max_dispersion_s, 0.2);
    EXPECT_EQ(o.filter_samples, 16);
    EXPECT_TRUE(o.pps && o.prefer && o.no_select && o.trust && o.require && o.tai && o.local);
    EXPECT_EQ(o.min_samples, 4);
    EXPECT_EQ(o.max_samples, 20);
    EXPECT_EQ(o.max_unreach_polls, 7);
}

TEST(RefclockLine, DriverOptionsFollowTheParameter) {
    const RefclockDevice phc =
        parsed("refclock PHC eth0:nocrossts:extpps:pin=-1:channel=2:clear").device;
    EXPECT_EQ(phc.kind, RefclockKind::Phc);
    EXPECT_EQ(phc.path, "eth0");
    EXPECT_FALSE(phc.cross_timestamps);
    EXPECT_TRUE(phc.external_pps);
    EXPECT_EQ(phc.pin, -1);
    EXPECT_EQ(phc.channel, 2);
    EXPECT_TRUE(phc.clear_edge);
    EXPECT_EQ(parsed("refclock SHM 3:perm=0644").device.mode, 0644u);
    EXPECT_EQ(parsed("refclock SHM 3:perm=0644").device.unit, 3);
    EXPECT_TRUE(parsed("refclock PPS /dev/pps1:clear").device.clear_edge);
    EXPECT_EQ(parsed("refclock SOCK /run/x.sock").device.path, "/run/x.sock");
}

TEST(RefclockLine, TheDriverIsPolledAtLeastOncePerPoll) {
    EXPECT_EQ(parsed("refclock SHM 0 poll -2").options.driver_poll_log2_s, -2);
    EXPECT_EQ(parsed("refclock SHM 0 dpoll 6").options.driver_poll_log2_s, 4);
}

TEST(RefclockLine, MistakesAreErrors) {
    for (const char* line :
         {"refclock", "refclock SHM", "refclock shm 0", "refclock GPS /dev/gps", "refclock SHM x",
          "refclock SHM -1", "refclock SHM 0:clear", "refclock SHM 0:perm", "refclock SHM 0:perm=9",
          "refclock PPS :clear", "refclock PHC /dev/ptp0:pin=x", "refclock SOCK /s:perm=0600",
          "refclock SHM 0 refid TOOLONG", "refclock SHM 0 stratum 16", "refclock SHM 0 stratum -1",
          "refclock SHM 0 wide 1", "refclock SHM 0 poll", "refclock SHM 0 offset nan"}) {
        EXPECT_TRUE(has_errors(parse_text(line).diagnostics)) << line;
        EXPECT_TRUE(parse_text(line).config.refclocks.empty()) << line;
    }
}

}  // namespace
}  // namespace gnomon
