/// Load for an NTP server: requests from many addresses, flat out or paced.
///   ntp_load --server=ADDRESS [--port=123] [--bind=10.9.1.] [--clients=64] [--seconds=3]
///            [--rate=0] [--interleaved] [--blind]
/// --bind is a prefix to which 1…clients is appended (addresses of the local interface).
/// --rate=0 is flat out. --blind reads no answers and sends with UDP segmentation, which makes the
/// generator faster than any server; answers are then counted by the interface.
/// Prints: sent, answered, interleaved answers, seconds.

#include <netinet/udp.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>

#include <cstdio>
#include <cstring>
#include <vector>

#include "dataplane/socket/socket_address.h"
#include "dataplane/socket/udp_socket.h"
#include "dataplane/wire/ntp_packet.h"
#include "tests/bench/serve/arguments.h"

namespace gnomon::bench {
namespace {

constexpr std::size_t kBurst = 16;

double now_s() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

struct LoadClient {
    UdpSocket socket;
    NtpTimestamp last_receive;
    std::uint64_t serial = 0;
};

struct Totals {
    std::uint64_t sent = 0;
    std::uint64_t answered = 0;
    std::uint64_t interleaved = 0;
};

void write_request(LoadClient& client, bool interleaved, std::span<std::uint8_t> bytes) {
    NtpHeader header;
    header.mode = Mode::Client;
    header.transmit = NtpTimestamp::from_bits(client.serial += 4);
    if (interleaved) {
        header.origin = client.last_receive;
        header.receive = NtpTimestamp::from_bits(client.serial + 2);
    }
    encode_header(header, bytes.first<kNtpHeaderSize>());
}

/// A burst of requests as one segmented datagram.
void send_blind(LoadClient& client, Totals& totals) {
    std::array<std::uint8_t, kBurst * kNtpHeaderSize> bytes;
    for (std::size_t i = 0; i < kBurst; ++i) {
        write_request(client, false, std::span(bytes).subspan(i * kNtpHeaderSize));
    }
    if (send(client.socket.fd.get(), bytes.data(), bytes.size(), 0) > 0) totals.sent += kBurst;
}

void send_one(LoadClient& client, bool interleaved, Totals& totals) {
    std::array<std::uint8_t, kNtpHeaderSize> bytes;
    write_request(client, interleaved, bytes);
    if (send(client.socket.fd.get(), bytes.data(), bytes.size(), 0) > 0) ++totals.sent;
}

void read_answers(LoadClient& client, Totals& totals) {
    std::array<std::uint8_t, 128> bytes;
    while (true) {
        const ssize_t size = recv(client.socket.fd.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
        if (size < static_cast<ssize_t>(kNtpHeaderSize)) return;
        const NtpHeader answer = decode_header(std::span(bytes).first<kNtpHeaderSize>());
        ++totals.answered;
        // Receive fields are serials with bit 1 set, transmit fields are multiples of 4.
        if ((answer.origin.bits() & 2) != 0) ++totals.interleaved;
        client.last_receive = answer.receive;
    }
}

std::vector<LoadClient> open_clients(const Arguments& arguments, bool blind) {
    std::vector<LoadClient> clients;
    const std::string prefix = arguments.text("bind", "");
    const auto count = static_cast<int>(arguments.number("clients", 64));
    for (int i = 1; i <= count; ++i) {
        SocketOptions options;
        options.remote = {
            IpAddress::parse(arguments.text("server", "127.0.0.1")).value_or(IpAddress{}),
            static_cast<std::uint16_t>(arguments.number("port", 123))};
        if (!prefix.empty()) {
            const auto local = IpAddress::parse(prefix + std::to_string(i));
            if (local) options.local.ip = *local;
        }
        options.receive_stamps = false;
        if (blind) options.receive_buffer_bytes = 1;
        auto socket = open_udp_socket(options);
        if (!socket) {
            std::fprintf(stderr, "ntp_load: %s\n", socket.error().message().c_str());
            return {};
        }
        LoadClient client;
        client.socket = std::move(socket).value();
        client.serial = static_cast<std::uint64_t>(i) << 40;
        const int segment = kNtpHeaderSize;
        if (blind) {
            setsockopt(client.socket.fd.get(), SOL_UDP, UDP_SEGMENT, &segment, sizeof(segment));
        }
        clients.push_back(std::move(client));
    }
    return clients;
}

int run(const Arguments& arguments) {
    const bool blind = arguments.flag("blind");
    const bool interleaved = arguments.flag("interleaved");
    const double rate = arguments.number("rate", 0);
    const double seconds = arguments.number("seconds", 3);
    std::vector<LoadClient> clients = open_clients(arguments, blind);
    if (clients.empty()) return 1;

    Totals totals;
    const double begin = now_s();
    double now = begin;
    std::size_t next = 0;
    while ((now = now_s()) - begin < seconds) {
        LoadClient& client = clients[next];
        if (rate > 0 && static_cast<double>(totals.sent) > (now - begin) * rate) {
            // Ahead of the schedule: nothing to send before the clock catches up.
            if (!blind) {
                for (LoadClient& other : clients) read_answers(other, totals);
            }
            continue;
        }
        if (blind) {
            send_blind(client, totals);
        } else {
            read_answers(client, totals);
            send_one(client, interleaved, totals);
        }
        next = (next + 1) % clients.size();
    }
    if (!blind) {
        while (now_s() - begin < seconds + 0.1) {
            for (LoadClient& client : clients) read_answers(client, totals);
        }
    }
    std::printf("%llu %llu %llu %.3f\n", static_cast<unsigned long long>(totals.sent),
                static_cast<unsigned long long>(totals.answered),
                static_cast<unsigned long long>(totals.interleaved), seconds);
    return 0;
}

}  // namespace
}  // namespace gnomon::bench

int main(int argc, char** argv) { return gnomon::bench::run(gnomon::bench::Arguments(argc, argv)); }
