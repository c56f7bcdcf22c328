#pragma once

/// A bench for one association: a clock, a scripted or simple server, and all outputs recorded.

#include <algorithm>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "dataplane/proto/association.h"

namespace gnomon::test {

class SeededRandom final : public RandomSource {
public:
    explicit SeededRandom(std::uint64_t seed = 1) : engine_(seed) {}
    std::uint64_t next() override { return engine_(); }

private:
    std::mt19937_64 engine_;
};

class FakeSource final : public SourceView {
public:
    std::optional<Prediction> predict(UtcTime) const override { return prediction; }
    int sample_count() const override { return samples; }
    double skew_bound() const override { return skew; }

    std::optional<Prediction> prediction;
    int samples = 0;
    double skew = 1e-6;
};

class AssociationBench {
public:
    using Datagram = std::vector<std::uint8_t>;

    explicit AssociationBench(AssociationConfig settings = {},
                              std::unique_ptr<ClientAuth> auth = std::make_unique<NoAuth>())
        : config(std::move(settings)) {
        config.remote = {IpAddress::v4(0xC0000201), 123};
        server_state.synchronised = true;
        server_state.leap = Leap::Normal;
        server_state.stratum = 3;
        server_state.precision = -25;
        server_state.reference_time = utc(-10.0);
        association = std::make_unique<Association>(
            config, std::move(auth), Association::Surroundings{random, source, nullptr});
    }

    static UtcTime utc(double seconds) {
        return UtcTime::from_ns(1'700'000'000'000'000'000) + Duration::from_seconds(seconds);
    }
    UtcTime utc() const { return utc(now_s); }
    LocalView view() const {
        return LocalView{MonoTime::from_ns(0) + Duration::from_seconds(now_s), utc(), &server_state,
                         serving, selected};
    }

    void start() {
        association->start(view());
        drain();
    }

    /// Runs to the next timer and handles it; false when there is none until `until_s`.
    bool step(double until_s = 1e12) {
        const MonoTime next = association->next_timeout();
        if (next == MonoTime::max()) return false;
        const double at_s = next.since_epoch().to_seconds();
        if (at_s > until_s) {
            now_s = until_s;
            return false;
        }
        now_s = std::max(now_s, at_s + 1e-9);
        association->handle_timeout(view());
        drain();
        return true;
    }
    void run(double until_s) {
        while (step(until_s)) {
        }
    }
    /// Steps until one more request was sent.
    bool run_to_request() {
        const std::size_t before = requests.size();
        for (int i = 0; i < 100 && requests.size() == before; ++i) {
            if (!step()) return false;
        }
        return requests.size() > before;
    }

    NtpHeader request() const { return header_of(requests.back()); }
    static NtpHeader header_of(const Datagram& datagram) {
        return decode_header(std::span(datagram).first<kNtpHeaderSize>());
    }

    /// A good basic reply to the last request: `offset_s` > 0 when we are behind.
    NtpHeader reply_header() const {
        NtpHeader header;
        header.leap = Leap::Normal;
        header.version = 4;
        header.mode = config.symmetric ? Mode::SymmetricActive : Mode::Server;
        header.stratum = 2;
        header.poll = 6;
        header.precision = -23;
        header.root_delay = NtpShort::from_bits(100);
        header.root_dispersion = NtpShort::from_bits(100);
        header.ref_id = 0x0A000001;
        header.reference = NtpTimestamp::from_utc(utc(-100.0));
        header.origin = request().transmit;
        header.receive = NtpTimestamp::from_utc(utc(sent_s + delay_s / 2 + offset_s));
        header.transmit = NtpTimestamp::from_utc(utc(sent_s + delay_s / 2 + 1e-5 + offset_s));
        return header;
    }
    static Datagram encode(const NtpHeader& header) {
        Datagram bytes(kNtpHeaderSize);
        encode_header(header, std::span(bytes).first<kNtpHeaderSize>());
        return bytes;
    }

    PacketResult deliver(const Datagram& datagram) {
        ReceivedPacket packet;
        packet.datagram = datagram;
        packet.stamp.time = utc();
        packet.stamp.source = rx_source;
        packet.local = local;
        const PacketResult result = association->handle_packet(view(), packet);
        drain();
        return result;
    }
    PacketResult deliver(const NtpHeader& header) { return deliver(encode(header)); }
    /// Lets the round trip pass and delivers a good reply.
    PacketResult answer() {
        return answer_with([](NtpHeader&) {});
    }
    PacketResult answer_with(const std::function<void(NtpHeader&)>& change) {
        NtpHeader header = reply_header();
        change(header);
        now_s = std::max(now_s, sent_s + delay_s + 1e-5);
        return deliver(header);
    }
    PacketResult exchange() { return run_to_request() ? answer() : PacketResult{}; }

    void drain() {
        while (auto output = association->poll_output()) std::visit(*this, *output);
    }
    void operator()(const SendOutput& output) {
        requests.emplace_back(output.datagram.begin(), output.datagram.end());
        request_times.push_back(now_s);
        cookie = output.cookie;
        fresh_port = output.fresh_port;
        sent_s = now_s;
        association->handle_send_result(view(), send_works, utc());
    }
    void operator()(const ClosePortOutput&) { ++ports_closed; }
    void operator()(const MeasurementOutput& output) {
        measurements.push_back(output);
        ++source.samples;
        if (adapt) {
            association->handle_accumulated(view(), prediction_error_s, output.distance_s,
                                            source.samples);
        }
    }
    void operator()(const MissedOutput&) { ++missed; }
    void operator()(const ReachOutput&) {}
    void operator()(const StatusOutput& output) { statuses.push_back(output); }
    void operator()(const ResetSourceOutput&) { ++source_resets; }
    void operator()(const KodOutput&) { ++kods; }
    void operator()(const OnlineOutput& output) { online_changes.push_back(output.online); }
    void operator()(const ReplyOutput& output) { replies.push_back(output.record); }
    void operator()(const MeshOutput& output) { mesh_rows.push_back(output.row); }

    AssociationConfig config;
    SeededRandom random;
    FakeSource source;
    ServerState server_state;
    double now_s = 0.0;
    double sent_s = 0.0;
    double delay_s = 1e-3;
    double offset_s = 0.0;
    double prediction_error_s = 0.0;
    bool serving = false;
    bool selected = false;
    bool send_works = true;
    bool adapt = true;
    TimestampSource rx_source = TimestampSource::Daemon;
    IpAddress local = IpAddress::v4(0xC0000263);

    std::vector<Datagram> requests;
    std::vector<double> request_times;
    std::uint64_t cookie = 0;
    bool fresh_port = false;
    std::vector<MeasurementOutput> measurements;
    std::vector<MeshRow> mesh_rows;
    std::vector<ReplyRecord> replies;
    std::vector<StatusOutput> statuses;
    std::vector<bool> online_changes;
    int missed = 0;
    int kods = 0;
    int ports_closed = 0;
    int source_resets = 0;
    std::unique_ptr<Association> association;
};

/// "111 111 1111", as in the measurement log.
inline std::string bits_of(const ReplyRecord& record) {
    std::string text;
    for (int bit = 9; bit >= 0; --bit) {
        text += (record.tests.bits() >> bit & 1) != 0 ? '1' : '0';
        if (bit == 7 || bit == 4) text += ' ';
    }
    return text;
}

}  // namespace gnomon::test
