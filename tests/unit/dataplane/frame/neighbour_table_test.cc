#include "dataplane/frame/neighbour_table.h"

#include <gtest/gtest.h>

#include "dataplane/wire/arp.h"
#include "dataplane/wire/icmp.h"
#include "tests/unit/dataplane/frame/frame_fixture.h"

namespace gnomon {
namespace {

using namespace gnomon::testing;
using Kind = NeighbourSighting::Kind;
using State = NeighbourTable::State;

constexpr MacAddress kGatewayMac{0x02, 0, 0, 0, 0, 0x0A};
constexpr MacAddress kForgedMac{0x02, 0, 0, 0, 0, 0x66};

MonoTime at_s(double s) { return MonoTime() + Duration::from_seconds(1000.0 + s); }

NeighbourSighting sighting(Kind kind, const char* who, const MacAddress& mac,
                           std::uint16_t vlan = 0) {
    NeighbourSighting seen;
    seen.kind = kind;
    seen.ip = ip(who);
    seen.mac = mac;
    seen.vlan = vlan;
    return seen;
}

NeighbourTableConfig table_config() {
    NeighbourTableConfig config;
    config.mac = kOurMac;
    config.addresses = frame_config(DataplaneMode::Exclusive).addresses;
    config.gateways = {ip("192.0.2.254"), ip("fe80::fe")};
    return config;
}

class Table {
public:
    explicit Table(const NeighbourTableConfig& config = table_config()) : table(config) {}

    State resolve(const char* who, double s) {
        last = table.resolve(ip(who), at_s(s));
        return last.state;
    }
    Bytes poll(double s) {
        Bytes out(128);
        out.resize(table.poll(at_s(s), out));
        return out;
    }
    void learn(const NeighbourSighting& seen, double s) { table.learn(seen, at_s(s)); }

    NeighbourTable table;
    NeighbourTable::Resolution last;
};

TEST(NeighbourTable, FindsTheLinkAndTheNextHop) {
    NeighbourTableConfig config = table_config();
    config.addresses.push_back(address("192.0.2.129", 25, 9));
    const NeighbourTable table(config);
    const auto expect = [&](const char* to, const char* source, int vlan, const char* hop) {
        const auto route = table.route(ip(to));
        ASSERT_TRUE(route) << to;
        EXPECT_EQ(route->source, ip(source)) << to;
        EXPECT_EQ(route->vlan, vlan) << to;
        EXPECT_EQ(route->next_hop, ip(hop)) << to;
    };
    expect("192.0.2.7", "192.0.2.1", 0, "192.0.2.7");
    expect("192.0.2.200", "192.0.2.129", 9, "192.0.2.200");
    expect("198.51.100.7", "198.51.100.1", 7, "198.51.100.7");
    expect("203.0.113.1", "192.0.2.129", 9, "192.0.2.254");
    expect("2001:db8::7", "2001:db8::1", 0, "2001:db8::7");
    // By way of the link-local gateway, but not from our link-local address.
    expect("2001:db8:9::7", "2001:db8::1", 0, "fe80::fe");
    for (const char* none : {"192.0.2.1", "2001:db8::1", "224.0.1.1", "ff02::1"}) {
        EXPECT_FALSE(table.route(ip(none))) << none;
    }
    EXPECT_FALSE(table.route(IpAddress{}));
    config.gateways.clear();
    EXPECT_FALSE(NeighbourTable(config).route(ip("203.0.113.1")));
}

TEST(NeighbourTable, AsksAndLearns) {
    Table t;
    EXPECT_EQ(t.resolve("203.0.113.1", 0), State::Pending);
    Bytes question = hex(
        "ff ff ff ff ff ff  02 00 00 00 00 01  08 06"
        "00 01 08 00 06 04 00 01  02 00 00 00 00 01  c0 00 02 01  00 00 00 00 00 00  c0 00 02 fe");
    question.resize(60);
    EXPECT_EQ(t.poll(0), question);
    EXPECT_TRUE(t.poll(0).empty());
    EXPECT_TRUE(t.poll(0.9).empty());
    EXPECT_EQ(t.resolve("203.0.113.2", 0.5), State::Pending);
    EXPECT_EQ(t.table.size(), 1U);
    t.learn(sighting(Kind::Reply, "192.0.2.254", kGatewayMac), 0.9);
    EXPECT_EQ(t.resolve("203.0.113.1", 1), State::Known);
    EXPECT_EQ(t.last.mac, kGatewayMac);
    EXPECT_EQ(t.last.route.source, ip("192.0.2.1"));
    EXPECT_TRUE(t.poll(2).empty());
}

TEST(NeighbourTable, AsksThreeTimesAndThenLeavesTheSilentInPeace) {
    Table t;
    EXPECT_EQ(t.resolve("192.0.2.7", 0), State::Pending);
    int asked = 0;
    for (int tenth = 0; tenth < 80; ++tenth) asked += t.poll(tenth * 0.1).empty() ? 0 : 1;
    EXPECT_EQ(asked, 3);
    EXPECT_EQ(t.resolve("192.0.2.7", 7.9), State::Silent);
    EXPECT_EQ(t.resolve("192.0.2.7", 8.1), State::Pending);
    EXPECT_FALSE(t.poll(8.1).empty());
}

TEST(NeighbourTable, SolicitsOverIpv6InTheVlan) {
    NeighbourTableConfig config = table_config();
    config.addresses = {address("2001:db8:7::1", 64, 7)};
    Table t(config);
    EXPECT_EQ(t.resolve("2001:db8:7::12:3456", 0), State::Pending);
    const Bytes frame = t.poll(0);
    const auto header = parse_ethernet(frame);
    ASSERT_TRUE(header);
    EXPECT_EQ(header->destination, (MacAddress{0x33, 0x33, 0xff, 0x12, 0x34, 0x56}));
    EXPECT_EQ(header->tags[0].id(), 7);
    const auto message = parse_neighbour(std::span(frame).subspan(18));
    ASSERT_TRUE(message);
    EXPECT_FALSE(message->advertisement);
    EXPECT_EQ(message->source, ip("2001:db8:7::1"));
    EXPECT_EQ(message->target, ip("2001:db8:7::12:3456"));
    EXPECT_EQ(message->link_layer, kOurMac);
    t.learn(sighting(Kind::Reply, "2001:db8:7::12:3456", kTheirMac, 8), 0.1);
    EXPECT_EQ(t.resolve("2001:db8:7::12:3456", 0.2), State::Pending);
    t.learn(sighting(Kind::Reply, "2001:db8:7::12:3456", kTheirMac, 7), 0.3);
    EXPECT_EQ(t.resolve("2001:db8:7::12:3456", 0.4), State::Known);
}

TEST(NeighbourTable, ConfirmsWhatIsOldWhileUsingIt) {
    Table t;
    t.resolve("192.0.2.7", 0);
    t.poll(0);
    t.learn(sighting(Kind::Reply, "192.0.2.7", kTheirMac), 0.1);
    EXPECT_EQ(t.resolve("192.0.2.7", 31), State::Known);
    const Bytes question = t.poll(31);
    ASSERT_EQ(question.size(), 60U);
    EXPECT_TRUE(std::equal(kTheirMac.begin(), kTheirMac.end(), question.begin()));
    t.learn(sighting(Kind::Reply, "192.0.2.7", kTheirMac), 31.1);
    EXPECT_TRUE(t.poll(33).empty());
    // Nobody wants it: nobody asks.
    EXPECT_TRUE(t.poll(500).empty());
    // Gone: three questions to it, then to all.
    EXPECT_EQ(t.resolve("192.0.2.7", 600), State::Known);
    for (const double s : {600.0, 601.0, 602.0}) EXPECT_EQ(t.poll(s)[0], 0x02) << s;
    EXPECT_EQ(t.resolve("192.0.2.7", 602.5), State::Known);
    EXPECT_EQ(t.poll(603)[0], 0xff);
    EXPECT_EQ(t.resolve("192.0.2.7", 603.1), State::Pending);
}

TEST(NeighbourTable, WhatIsSaidUnaskedOnlyMakesItAskAgain) {
    for (const Kind kind : {Kind::Reply, Kind::Unsolicited, Kind::Request}) {
        Table t;
        t.learn(sighting(kind, "192.0.2.7", kForgedMac), 0);
        EXPECT_EQ(t.table.size(), 0U);
        t.resolve("192.0.2.7", 0);
        // An answer before the question.
        if (kind != Kind::Request) {
            t.learn(sighting(kind, "192.0.2.7", kForgedMac), 0);
            EXPECT_EQ(t.resolve("192.0.2.7", 0), State::Pending);
        }
        t.poll(0);
        t.learn(sighting(Kind::Reply, "192.0.2.7", kTheirMac), 0.1);
        t.learn(sighting(kind, "192.0.2.7", kForgedMac), 1);
        EXPECT_EQ(t.resolve("192.0.2.7", 1), State::Known);
        EXPECT_EQ(t.last.mac, kTheirMac);
        EXPECT_EQ(t.poll(1)[5], kTheirMac[5]);
        t.learn(sighting(kind, "192.0.2.7", kForgedMac), 1.1);
        EXPECT_EQ(t.resolve("192.0.2.7", 1.2), State::Known);
        EXPECT_EQ(t.last.mac, kTheirMac);
        EXPECT_EQ(t.poll(2)[5], kTheirMac[5]);  // still asked
        t.learn(sighting(Kind::Reply, "192.0.2.7", kTheirMac), 2.1);
        EXPECT_TRUE(t.poll(4).empty());
        EXPECT_EQ(t.resolve("192.0.2.7", 4), State::Known);
        EXPECT_EQ(t.last.mac, kTheirMac);
    }
}

TEST(NeighbourTable, FollowsAnAddressThatHasMoved) {
    Table t;
    t.resolve("192.0.2.7", 0);
    t.poll(0);
    t.learn(sighting(Kind::Reply, "192.0.2.7", kTheirMac), 0.1);
    t.learn(sighting(Kind::Unsolicited, "192.0.2.7", kGatewayMac), 1);
    for (const double s : {1.0, 2.0, 3.0}) EXPECT_FALSE(t.poll(s).empty());
    EXPECT_EQ(t.poll(4)[0], 0xff);
    t.learn(sighting(Kind::Reply, "192.0.2.7", kGatewayMac), 4.1);
    EXPECT_EQ(t.resolve("192.0.2.7", 4.2), State::Known);
    EXPECT_EQ(t.last.mac, kGatewayMac);
}

TEST(NeighbourTable, IsBounded) {
    NeighbourTableConfig config = table_config();
    config.capacity = 2;
    Table t(config);
    EXPECT_EQ(t.resolve("192.0.2.7", 0), State::Pending);
    EXPECT_EQ(t.resolve("192.0.2.8", 30), State::Pending);
    EXPECT_EQ(t.resolve("192.0.2.9", 31), State::NoRoute);
    EXPECT_EQ(t.resolve("192.0.2.9", 61), State::Pending);
    EXPECT_EQ(t.table.size(), 2U);
    EXPECT_EQ(t.resolve("192.0.2.7", 61), State::NoRoute);
    config.capacity = 0;
    Table none(config);
    EXPECT_EQ(none.resolve("192.0.2.7", 0), State::NoRoute);
}

TEST(DatagramFrame, CarriesOurRequests) {
    const Bytes payload = ntp_request();
    Bytes out(200);
    NeighbourRoute route{ip("198.51.100.1"), 7, ip("198.51.100.254")};
    const SocketAddress remote{ip("203.0.113.5"), 123};
    std::size_t length =
        build_datagram_frame(route, kOurMac, kGatewayMac, 40123, 46, remote, payload, out);
    ASSERT_EQ(length, 18U + 28U + 48U);
    EXPECT_EQ(Bytes(out.begin(), out.begin() + 18),
              hex("02 00 00 00 00 0a 02 00 00 00 00 01 81 00 00 07 08 00"));
    const UdpParse parsed = parse_ip_udp(std::span(out).subspan(18, length - 18));
    ASSERT_TRUE(parsed.packet);
    EXPECT_EQ(parsed.packet->source, (SocketAddress{route.source, 40123}));
    EXPECT_EQ(parsed.packet->destination, remote);
    EXPECT_EQ(parsed.packet->traffic_class, 46 << 2);
    EXPECT_EQ(parsed.packet->hop_limit, 64);
    Bytes small(length - 1);
    EXPECT_EQ(build_datagram_frame(route, kOurMac, kGatewayMac, 1, 0, remote, payload, small), 0U);
    length = build_datagram_frame(route, kOurMac, kGatewayMac, 1, 0, remote, {}, out);
    EXPECT_EQ(length, 60U);
    route = {ip("2001:db8::1"), 0, ip("fe80::fe")};
    length = build_datagram_frame(route, kOurMac, kGatewayMac, 1, 46, {ip("2001:db8:5::5"), 123},
                                  payload, out);
    ASSERT_EQ(length, 110U);
    EXPECT_TRUE(parse_ip_udp(std::span(out).subspan(14, length - 14)).packet);
    // Families must agree.
    EXPECT_EQ(build_datagram_frame(route, kOurMac, kGatewayMac, 1, 0, remote, payload, out), 0U);
}

}  // namespace
}  // namespace gnomon
