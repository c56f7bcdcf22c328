// Asks a time server the time from a node of the simulator clknetsim whose clock is perfect and whose
// path is constant and symmetric, so that the measured offset is the true error of the served time.
//
//   clknetsim_observer ADDRESS INTERVAL_SECONDS
//
// Prints a line for each reply of a synchronised server: seconds since the start, the server's error in
// seconds (positive: it is ahead), its root delay and root dispersion in seconds. Ends with SIGTERM.
// Uses only what clknetsim intercepts: select, plain sockets, clock_gettime.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cmath>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>

namespace {

constexpr size_t kPacketSize = 48;
constexpr int64_t kNtpEpochOffset_s = 2208988800;
using Packet = std::array<uint8_t, kPacketSize>;

volatile std::sig_atomic_t stopped = 0;

double now_s(double start_s) {
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    return (static_cast<double>(now.tv_sec) - start_s) + static_cast<double>(now.tv_nsec) * 1e-9;
}

uint32_t field(const Packet& packet, size_t at) {
    return static_cast<uint32_t>(packet[at]) << 24 | static_cast<uint32_t>(packet[at + 1]) << 16 |
           static_cast<uint32_t>(packet[at + 2]) << 8 | packet[at + 3];
}

/// The 64-bit timestamp at `at` in seconds after `start_s` of Unix time.
double timestamp_s(const Packet& packet, size_t at, double start_s) {
    double whole_s = static_cast<double>(field(packet, at) - kNtpEpochOffset_s) - start_s;
    return whole_s + field(packet, at + 4) / 4294967296.0;
}

/// Whether the socket became readable within `timeout_s`; the simulated time passes in here.
bool wait_readable(int fd, double timeout_s) {
    fd_set readable;
    FD_ZERO(&readable);
    FD_SET(fd, &readable);
    timeval timeout{};
    timeout.tv_sec = static_cast<time_t>(timeout_s);
    timeout.tv_usec = static_cast<suseconds_t>((timeout_s - std::floor(timeout_s)) * 1e6);
    return select(fd + 1, &readable, nullptr, nullptr, &timeout) > 0;
}

void ask(int fd, double start_s) {
    Packet packet{};
    packet[0] = 4 << 3 | 3;  // version 4, client
    double sent_s = now_s(start_s);
    if (send(fd, packet.data(), packet.size(), 0) < 0 || !wait_readable(fd, 0.5)) return;
    double received_s = now_s(start_s);
    if (recv(fd, packet.data(), packet.size(), 0) != static_cast<ssize_t>(kPacketSize)) return;
    uint8_t stratum = packet[1];
    if (packet[0] >> 6 == 3 || stratum == 0 || stratum >= 16) return;
    double error_s = ((timestamp_s(packet, 32, start_s) - sent_s) +
                      (timestamp_s(packet, 40, start_s) - received_s)) /
                     2;
    std::printf("%.3f %.4e %.5e %.5e\n", sent_s, error_s, field(packet, 4) / 65536.0,
                field(packet, 8) / 65536.0);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        std::fprintf(stderr, "usage: clknetsim_observer ADDRESS INTERVAL_SECONDS\n");
        return 2;
    }
    double interval_s = std::atof(argv[2]);
    sockaddr_in server{};
    server.sin_family = AF_INET;
    server.sin_port = htons(123);
    if (inet_pton(AF_INET, argv[1], &server.sin_addr) != 1 || interval_s <= 0.0) return 2;
    std::signal(SIGTERM, [](int) { stopped = 1; });

    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (fd < 0 || connect(fd, reinterpret_cast<sockaddr*>(&server), sizeof(server)) < 0) {
        std::perror("clknetsim_observer");
        return 1;
    }
    timespec start{};
    clock_gettime(CLOCK_REALTIME, &start);
    double start_s = static_cast<double>(start.tv_sec);
    while (stopped == 0) {
        double asked_s = now_s(start_s);
        ask(fd, start_s);
        if (stopped != 0) break;
        double rest_s = asked_s + interval_s - now_s(start_s);
        // Nothing is expected: waiting on the socket is the wait that the simulator knows.
        if (rest_s > 0.0) wait_readable(fd, rest_s);
    }
    return 0;
}
