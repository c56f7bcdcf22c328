#include "mgmt/runtime/messages.h"

#include <gtest/gtest.h>

namespace gnomon {
namespace {

SourceLabel label(const char* address, const char* name) {
    return SourceLabel{*IpAddress::parse(address), RefId{}, name};
}

std::string text_of(const Event& event) {
    const auto message = message_for(event);
    return message ? message->text : "(none)";
}

TEST(Messages, Selection_NamesTheSourceByAddressAndName) {
    EXPECT_EQ(text_of(SourceSelected{label("192.0.2.1", "ntp.example.net")}),
              "Selected source 192.0.2.1 (ntp.example.net)");
    EXPECT_EQ(text_of(SourceSelected{label("192.0.2.1", "192.0.2.1")}),
              "Selected source 192.0.2.1");
    EXPECT_EQ(text_of(SourceSelected{SourceLabel{IpAddress(), RefId::from_text("PPS0"), ""}}),
              "Selected source PPS0");
}

TEST(Messages, CannotSynchronise_GivesTheNumbersScriptsLookFor) {
    CannotSynchronise event{CannotSynchronise::Reason::NoSelectable, 1, 0, 0, false};
    EXPECT_EQ(text_of(event), "Can't synchronise: no selectable sources (1 unreachable sources)");
    event = {CannotSynchronise::Reason::NoMajority, 0, 2, 5, false};
    EXPECT_EQ(text_of(event), "Can't synchronise: no majority (only 2 of 5 sources agree)");
    event = {CannotSynchronise::Reason::NoAgreement, 0, 0, 5, true};
    EXPECT_EQ(text_of(event),
              "Can't synchronise: no majority (no agreement among 5 trusted sources)");
}

TEST(Messages, PolledPort_SaysWhatIsWrongAndWhoServesNow) {
    PolledPortChanged event{"af_xdp:eth1", PortHealth::Healthy, true, true, false};
    EXPECT_EQ(text_of(event), "Port af_xdp:eth1 serves");
    event = {"af_xdp:eth1", PortHealth::Stalled, false, true, true};
    EXPECT_EQ(text_of(event), "Port af_xdp:eth1 stalled, kernel sockets serve");
    EXPECT_EQ(message_for(event)->severity, LogSeverity::Error);
    event.kernel_under = false;
    EXPECT_EQ(text_of(event), "Port af_xdp:eth1 stalled, nobody serves there");
    event = {"af_xdp:eth1", PortHealth::Healthy, true, true, true};
    EXPECT_EQ(text_of(event), "Port af_xdp:eth1 works again and serves");
}

TEST(Messages, UnacceptableSource_NamesTheLimit) {
    using Reason = SourceUnacceptable::Reason;
    const SourceLabel source = label("192.0.2.1", "192.0.2.1");
    EXPECT_EQ(text_of(SourceUnacceptable{source, Reason::RootDistance, 3.0}),
              "Root distance of 192.0.2.1 exceeds maxdistance of 3.000 seconds");
    EXPECT_EQ(text_of(SourceUnacceptable{source, Reason::StratumAboveMaximum, 5.0}),
              "Stratum of 192.0.2.1 above maxstratum of 5");
}

TEST(Messages, ClockOffsets_ArePositiveWhenTheClockWasBehind) {
    EXPECT_EQ(text_of(ClockWrong{1.25}), "System clock wrong by 1.250000 seconds");
    EXPECT_EQ(text_of(ClockStepped{-2.0, false}), "System clock was stepped by -2.000000 seconds");
    EXPECT_EQ(text_of(ClockStepped{-1.0, true}), "System clock was stepped for leap second");
    EXPECT_EQ(text_of(InitialOffset{-0.5, DisciplineMode::InitStepSlew, true}),
              "System's initial offset : 0.500000 seconds fast of true (step)");
    EXPECT_EQ(text_of(InitialOffset{0.5, DisciplineMode::PrintOnce, false}),
              "System clock wrong by 0.500000 seconds (ignored)");
}

TEST(Messages, Replacement_IsNewsOnlyWhenAnAddressWasKnownBefore) {
    SourceReplaced event{*IpAddress::parse("192.0.2.1"), *IpAddress::parse("192.0.2.2"), "pool",
                         false};
    EXPECT_EQ(text_of(event), "Source 192.0.2.1 replaced with 192.0.2.2 (pool)");
    EXPECT_EQ(message_for(event)->severity, LogSeverity::Info);
    event.old_address = IpAddress::id(1);
    EXPECT_EQ(message_for(event)->severity, LogSeverity::Debug);
    event.changed_by_protocol = true;
    EXPECT_EQ(text_of(event), "Source ID#0000000001 changed to 192.0.2.2 (pool)");
}

TEST(Messages, AddedSource_IsNewsOnlyAtRunTime) {
    SourceAdded event{label("192.0.2.1", "ntp.example.net"), false, SourceOrigin::Command};
    EXPECT_EQ(text_of(event), "Added source 192.0.2.1 (ntp.example.net)");
    EXPECT_EQ(message_for(event)->severity, LogSeverity::Info);
    event.origin = SourceOrigin::Config;
    EXPECT_EQ(message_for(event)->severity, LogSeverity::Debug);
    event.pool = true;
    EXPECT_EQ(text_of(event), "Added pool ntp.example.net");
}

TEST(Messages, Frequency_KeepsItsDigits) {
    EXPECT_EQ(text_of(FrequencyRead{-12.3456, 0.5, "/var/lib/gnomon/drift"}),
              "Frequency -12.346 +/- 0.500 ppm read from /var/lib/gnomon/drift");
    EXPECT_EQ(text_of(TaiOffsetSet{37}), "System clock TAI offset set to 37 seconds");
    EXPECT_EQ(text_of(LeapTableStatus{LeapTableStatus::Kind::ZoneUsed, "right/UTC"}),
              "Using right/UTC timezone to obtain leap second data");
}

TEST(Messages, RowsOfLogFiles_AreNoMessages) {
    EXPECT_FALSE(message_for(MeasurementRecord{}));
    EXPECT_FALSE(message_for(TrackingRecord{}));
}

}  // namespace
}  // namespace gnomon
