/// Measures the offset that a server shows to a client which shares its clock. Client and server run
/// on one kernel, so the true offset is zero and every offset is an error of the server's stamps (or
/// of the path's symmetry). T1 and T4 are the kernel's.
///   ntp_zero --server=ADDRESS [--port=123] [--count=1000] [--interval-us=5000] [--interleaved] [--json]
/// Prints: count, median |offset|, p99 |offset|, median signed offset, median delay; ns. With --json
/// also how long an answer took by the client's stamps (T4 - T1), and how many exchanges had none.

#include <poll.h>
#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <optional>
#include <vector>

#include "dataplane/socket/socket_port.h"
#include "dataplane/wire/ntp_packet.h"
#include "tests/bench/serve/arguments.h"

namespace gnomon::bench {
namespace {

constexpr int kPatienceMs = 200;

/// One exchange. All times on the one clock.
struct Exchange {
    SystemTime t1;
    NtpTimestamp t2;
    NtpTimestamp t3;
    SystemTime t4;
    bool interleaved = false;
};

double since_ns(NtpTimestamp t, SystemTime reference) {
    const NtpTimestamp base = NtpTimestamp::from_utc(UtcTime::from_ns(reference.ns()));
    return std::ldexp(static_cast<double>(static_cast<std::int64_t>(t.bits() - base.bits())), -32) *
           1e9;
}

class Client {
public:
    Client(std::unique_ptr<SocketPort> port, bool interleaved)
        : port_(std::move(port)), interleaved_(interleaved) {}

    std::optional<Exchange> exchange() {
        NtpHeader header;
        header.mode = Mode::Client;
        header.transmit = NtpTimestamp::from_bits(serial_ += 0x123456789ULL);
        if (interleaved_) {
            header.origin = last_receive_;
            header.receive = NtpTimestamp::from_bits(header.transmit.bits() + 1);
        }
        std::array<std::uint8_t, kNtpHeaderSize> bytes;
        encode_header(header, bytes);
        TxDatagram datagram;
        datagram.payload = bytes;
        datagram.want_stamp = true;
        datagram.cookie = header.transmit.bits();
        if (port_->send(std::span(&datagram, 1)) != 1) return std::nullopt;
        return collect(header);
    }

private:
    std::optional<Exchange> collect(const NtpHeader& asked) {
        Exchange exchange;
        bool stamped = false;
        bool answered = false;
        pollfd fd{port_->fd(), port_->poll_events(), 0};
        while (!stamped || !answered) {
            if (poll(&fd, 1, kPatienceMs) <= 0) return std::nullopt;
            if ((fd.revents & (POLLPRI | POLLERR)) != 0) {
                std::array<TxStampReport, 4> reports;
                const std::size_t count = port_->transmit_stamps(reports);
                for (std::size_t i = 0; i < count; ++i) {
                    if (reports[i].cookie != asked.transmit.bits()) continue;
                    exchange.t1 = reports[i].stamp.time;
                    stamped = true;
                }
            }
            if ((fd.revents & POLLIN) != 0) {
                std::array<RxDatagram, 1> received;
                if (port_->receive(received) != 1 || received[0].payload.size() < kNtpHeaderSize) {
                    continue;
                }
                const NtpHeader answer = decode_header(received[0].payload.first<kNtpHeaderSize>());
                exchange.interleaved = interleaved_ && answer.origin == asked.receive;
                if (!exchange.interleaved && answer.origin != asked.transmit) continue;
                if (received[0].stamp.source == TimestampSource::Daemon) return std::nullopt;
                exchange.t2 = answer.receive;
                exchange.t3 = answer.transmit;
                exchange.t4 = received[0].stamp.time;
                last_receive_ = answer.receive;
                answered = true;
            }
        }
        return exchange;
    }

    std::unique_ptr<SocketPort> port_;
    bool interleaved_;
    NtpTimestamp last_receive_;
    std::uint64_t serial_ = 0xe000000000000000ULL;
};

double quantile(std::vector<double> values, double q) {
    const auto nth =
        values.begin() + static_cast<std::ptrdiff_t>(q * static_cast<double>(values.size() - 1));
    std::nth_element(values.begin(), nth, values.end());
    return *nth;
}

void print_json(const std::vector<double>& offsets, const std::vector<double>& sizes,
                const std::vector<double>& delays, const std::vector<double>& latencies,
                int asked) {
    std::printf(
        "{\"count\":%zu,\"asked\":%d,\"offset_median\":%.0f,\"offset_p99\":%.0f,"
        "\"offset_signed\":%.0f,\"delay\":%.0f,\"latency_p50\":%.0f,\"latency_p99\":%.0f,"
        "\"latency_p999\":%.0f}\n",
        offsets.size(), asked, quantile(sizes, 0.5), quantile(sizes, 0.99), quantile(offsets, 0.5),
        quantile(delays, 0.5), quantile(latencies, 0.5), quantile(latencies, 0.99),
        quantile(latencies, 0.999));
}

int run(const Arguments& arguments) {
    SocketOptions options;
    options.remote = {IpAddress::parse(arguments.text("server", "127.0.0.1")).value_or(IpAddress{}),
                      static_cast<std::uint16_t>(arguments.number("port", 123))};
    options.always_transmit_stamps = true;
    auto port = SocketPort::open(options);
    if (!port) {
        std::fprintf(stderr, "ntp_zero: %s\n", port.error().message().c_str());
        return 1;
    }
    const bool interleaved = arguments.flag("interleaved");
    Client client(std::move(port).value(), interleaved);
    const auto count = static_cast<int>(arguments.number("count", 1000));
    const auto interval_us = static_cast<long>(arguments.number("interval-us", 5000));

    std::vector<double> offsets;
    std::vector<double> sizes;
    std::vector<double> delays;
    std::vector<double> latencies;
    std::optional<Exchange> previous;
    // The first exchanges warm up: the stamps of the system, and the server's prediction.
    constexpr int kWarmUp = 50;
    for (int i = 0; i < count + kWarmUp; ++i) {
        const timespec pause{interval_us / 1'000'000, interval_us % 1'000'000 * 1000};
        nanosleep(&pause, nullptr);
        const std::optional<Exchange> current = client.exchange();
        if (current && i >= kWarmUp) {
            latencies.push_back(static_cast<double>((current->t4 - current->t1).ns()));
            // An interleaved answer brings T3 of the exchange before it.
            const Exchange* measured = &*current;
            if (interleaved) measured = current->interleaved && previous ? &*previous : nullptr;
            if (measured != nullptr) {
                const double t21 = since_ns(measured->t2, measured->t1);
                const double t34 = since_ns(current->t3, measured->t4);
                offsets.push_back((t21 + t34) / 2);
                sizes.push_back(std::fabs(offsets.back()));
                delays.push_back(t21 - t34);
            }
        }
        previous = current;
    }
    if (offsets.empty()) {
        std::fprintf(stderr, "ntp_zero: no answers\n");
        return 1;
    }
    if (arguments.flag("json")) {
        print_json(offsets, sizes, delays, latencies, count);
        return 0;
    }
    std::printf("%zu %.0f %.0f %.0f %.0f\n", offsets.size(), quantile(sizes, 0.5),
                quantile(sizes, 0.99), quantile(offsets, 0.5), quantile(delays, 0.5));
    return 0;
}

}  // namespace
}  // namespace gnomon::bench

int main(int argc, char** argv) { return gnomon::bench::run(gnomon::bench::Arguments(argc, argv)); }
