/// Load for an NTP server from very many clients, made as Ethernet frames.
///   frame_load --interface=eth0 --server=ADDRESS --server-mac=MAC [--first-client=10.128.0.0]
///              [--clients=64] [--seconds=1] [--rate=0] [--via=packets|frames] [--batch=64]
///              [--interleaved] [--key=TYPE:HEX] [--key-id=1] [--drain-ms=100]
///              [--warm-seconds=0] [--warm-rate=0]
/// packets: sent by an AF_PACKET socket past the queueing discipline; paced by --rate, 0 is flat out.
/// frames: an XDP program on frames out of nowhere, flat out only, several times faster.
/// --interleaved: who had an answer asks for the transmit time of it; who had two is eligible for an
/// answer in interleaved mode. The warm-up is for everybody's first answers and is not counted; paced by
/// --warm-rate and made of packets, or with 0 flat out and made of frames.
/// Answers are looked at by a filter of the interface's packet socket and go no further, since nobody
/// has the addresses. The server must send answers to MAC 02:67:6e:6f:6d:6e (a static neighbour).
/// Prints JSON: sent, eligible (requests), answered, interleaved (answers), missed
/// (answers in basic mode to eligible requests), kod, seconds, and dropped: requests that the
/// interface lost before they reached the server.

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <optional>

#include "dataplane/wire/address.h"
#include "tests/bench/dataplane/bpf.h"
#include "tests/bench/dataplane/requests.h"
#include "tests/bench/serve/arguments.h"

namespace gnomon::bench {
namespace {

/// Words of the counters that this process and the BPF programs share.
enum Word : std::int16_t {
    kSent,
    kEligible,  ///< sent in interleaved mode
    kAnswered,
    kInterleaved,  ///< answers in interleaved mode
    kMissed,       ///< answers in basic mode to eligible requests
    kKod,
    kNext,
    kWords = 8
};
constexpr std::int16_t at(Word word) { return static_cast<std::int16_t>(8 * word); }

/// The third answer is the first that a server can make in interleaved mode (RFC 9769): it sees by the
/// second request that it is worth while to keep the times of the answer.
constexpr std::int32_t kAnswersBefore = 2;

constexpr std::int32_t kLookup = 1;      // bpf_map_lookup_elem
constexpr std::int32_t kLoadBytes = 26;  // bpf_skb_load_bytes

struct Load {
    std::uint32_t clients = 64;
    std::uint32_t first_client = 0;
    bool interleaved = false;
    double rate = 0;  ///< per second; 0: flat out
    double seconds = 1;
    double warm_seconds = 0;
    double warm_rate = 0;
    unsigned batch = 64;
    int interface_index = 0;
    std::vector<std::uint8_t> frame;
    std::uint32_t sum = 0;
};

double now_s() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

/// r0 = the value at the key that a register holds (-1: at key 0); leaves when there is none.
void look_up(BpfAssembler& code, int map_fd, int key_register) {
    if (key_register >= 0) {
        code.store(BPF_W, 10, -4, key_register);
    } else {
        code.move_immediate(1, 0);
        code.store(BPF_W, 10, -4, 1);
    }
    code.move(2, 10);
    code.add_immediate(2, -4);
    code.load_map(1, map_fd);
    code.call(kLookup);
    code.jump_if(BPF_JEQ, 0, 0, "leave");
}

void count(BpfAssembler& code, int counters, Word word) {
    code.move_immediate(1, 1);
    code.atomic_add(counters, at(word), 1);
}

/// `stamps` has two words per client: receive timestamp of the last answer, number of answers.
/// Gives the frame the next client's address and, in interleaved mode, the receive timestamp of its last
/// answer; sends it. r6 = frame, r7 = counters, r8 = client.
FileDescriptor load_sender(const Load& load, const SharedArray& words, const SharedArray& stamps) {
    BpfAssembler code;
    code.load(BPF_W, 6, 1, offsetof(xdp_md, data));
    code.load(BPF_W, 2, 1, offsetof(xdp_md, data_end));
    code.move(3, 6);
    code.add_immediate(3, static_cast<std::int32_t>(load.frame.size()));
    code.jump_if_register(BPF_JGT, 3, 2, "leave");
    look_up(code, words.fd(), -1);
    code.move(7, 0);
    code.load(BPF_DW, 8, 7, at(kNext));
    code.move(1, 8);
    code.add_immediate(1, 1);
    code.jump_if(BPF_JGT, 8, static_cast<std::int32_t>(load.clients - 2), "wrap");
    code.store(BPF_DW, 7, at(kNext), 1);
    code.jump_if(BPF_JA, 0, 0, "chosen");
    code.place("wrap");
    code.move_immediate(1, 0);
    code.store(BPF_DW, 7, at(kNext), 1);
    code.place("chosen");
    if (load.interleaved) {
        look_up(code, stamps.fd(), 8);
        code.load(BPF_DW, 1, 0, 0);
        code.store(BPF_DW, 6, kOriginOffset, 1);
        code.move_immediate(2, 0);
        code.load(BPF_DW, 1, 0, 8);
        code.jump_if(BPF_JLT, 1, kAnswersBefore, "basic");
        count(code, 7, kEligible);
        code.move_immediate(2, kEligibleTag);
        code.place("basic");
        code.store(BPF_B, 6, kTransmitOffset + 7, 2);
    }
    code.add_immediate(8, static_cast<std::int32_t>(load.first_client));
    // Both halves of the address into the sum, folded twice.
    code.move(1, 8);
    code.and_immediate(1, 0xFFFF);
    code.move(2, 8);
    code.shift_right(2, 16);
    code.and_immediate(2, 0xFFFF);
    code.add(1, 2);
    code.add_immediate(1, static_cast<std::int32_t>(load.sum));
    for (int fold = 0; fold < 2; ++fold) {
        code.move(2, 1);
        code.shift_right(2, 16);
        code.and_immediate(1, 0xFFFF);
        code.add(1, 2);
    }
    code.xor_immediate(1, -1);
    code.to_big_endian(1, 16);
    code.store(BPF_H, 6, kIpChecksumOffset, 1);
    code.to_big_endian(8, 32);
    code.store(BPF_W, 6, kSourceOffset, 8);
    count(code, 7, kSent);
    code.exit_with(XDP_TX);
    code.place("leave");
    code.exit_with(XDP_DROP);
    return load_program(BPF_PROG_TYPE_XDP, code.finish());
}

/// Counts answers to our clients and keeps their receive timestamps; the socket gets none of them.
/// r6 = packet, r7 = counters, r8 = client. On the stack, from the destination address to the end of
/// the receive timestamp.
FileDescriptor load_recorder(const Load& load, const SharedArray& words,
                             const SharedArray& stamps) {
    // So that what is read in eight bytes is aligned.
    constexpr std::int16_t kBegin = kSourceOffset;
    constexpr std::int16_t kSize = kReceiveOffset + 8 - kBegin;
    constexpr std::int16_t kStack = -72;
    static_assert(kSize <= -kStack - 8);
    const auto field = [](std::size_t offset) {
        return static_cast<std::int16_t>(kStack + static_cast<std::int16_t>(offset) - kBegin);
    };
    BpfAssembler code;
    code.move(6, 1);
    code.move_immediate(2, kBegin);
    code.move(3, 10);
    code.add_immediate(3, kStack);
    code.move_immediate(4, kSize);
    code.call(kLoadBytes);
    code.jump_if(BPF_JNE, 0, 0, "leave");
    code.load(BPF_H, 1, 10, field(kUdpOffset + 2));
    code.jump_if(BPF_JNE, 1, htons(kClientPort), "leave");
    code.load(BPF_B, 1, 10, field(kNtpOffset));
    code.and_immediate(1, 7);
    code.jump_if(BPF_JNE, 1, 4, "leave");
    code.load(BPF_W, 8, 10, field(kDestinationOffset));
    code.to_big_endian(8, 32);
    code.add_immediate(8, -static_cast<std::int32_t>(load.first_client));
    code.jump_if(BPF_JGE, 8, static_cast<std::int32_t>(load.clients), "leave");
    look_up(code, words.fd(), -1);
    code.move(7, 0);
    count(code, 7, kAnswered);
    code.load(BPF_B, 1, 10, field(kNtpOffset + 1));
    code.jump_if(BPF_JNE, 1, 0, "no kiss");
    count(code, 7, kKod);
    code.place("no kiss");
    if (load.interleaved) {
        code.load(BPF_B, 9, 10, field(kOriginOffset + 7));
        code.move(1, 9);
        code.and_immediate(1, kReceiveTag);
        code.jump_if(BPF_JEQ, 1, 0, "basic");
        count(code, 7, kInterleaved);
        code.place("basic");
        code.and_immediate(9, kEligibleTag);
        code.jump_if(BPF_JEQ, 9, 0, "not missed");
        count(code, 7, kMissed);
        code.place("not missed");
        look_up(code, stamps.fd(), 8);
        code.load(BPF_DW, 1, 10, field(kReceiveOffset));
        code.store(BPF_DW, 0, 0, 1);
        code.move_immediate(1, 1);
        code.atomic_add(0, 8, 1);
    }
    code.place("leave");
    code.exit_with(0);
    return load_program(BPF_PROG_TYPE_SOCKET_FILTER, code.finish());
}

/// A packet socket of the interface; protocol 0 receives nothing.
FileDescriptor packet_socket(int interface_index, std::uint16_t protocol, int filter) {
    FileDescriptor fd(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
    if (!fd.is_open()) return fd;
    if (filter >= 0 &&
        setsockopt(fd.get(), SOL_SOCKET, SO_ATTACH_BPF, &filter, sizeof(filter)) != 0) {
        return FileDescriptor();
    }
    const int on = 1;
    setsockopt(fd.get(), SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on));
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(protocol);
    address.sll_ifindex = interface_index;
    if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
        return FileDescriptor();
    }
    return fd;
}

/// Sends from a packet socket, at the given rate or flat out; the time it took, s.
double send_packets(const Load& load, double rate, double seconds, int fd, const SharedArray& words,
                    const SharedArray& stamps) {
    constexpr std::size_t kMost = 32;
    std::vector<std::vector<std::uint8_t>> frames(kMost, load.frame);
    std::array<iovec, kMost> vectors{};
    std::array<mmsghdr, kMost> messages{};
    for (std::size_t i = 0; i < kMost; ++i) {
        vectors[i] = {frames[i].data(), frames[i].size()};
        messages[i].msg_hdr.msg_iov = &vectors[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    std::uint64_t sent = 0;
    std::uint64_t eligible = 0;
    std::uint32_t client = 0;
    const double begin = now_s();
    double now = begin;
    while ((now = now_s()) - begin < seconds) {
        std::size_t want = kMost;
        if (rate > 0) {
            const double due = (now - begin) * rate - static_cast<double>(sent);
            if (due < 1) continue;
            want = std::min(kMost, static_cast<std::size_t>(due));
        }
        for (std::size_t i = 0; i < want; ++i) {
            set_source(frames[i].data(), load.sum, load.first_client + client);
            if (load.interleaved) {
                const std::uint64_t stamp = stamps.word(2 * std::size_t{client});
                const bool asks = stamps.word(2 * std::size_t{client} + 1) >= kAnswersBefore;
                std::memcpy(frames[i].data() + kOriginOffset, &stamp, sizeof(stamp));
                frames[i][kTransmitOffset + 7] = asks ? kEligibleTag : 0;
                if (asks) ++eligible;
            }
            client = client + 1 < load.clients ? client + 1 : 0;
        }
        std::size_t done = 0;
        while (done < want) {
            const int result =
                sendmmsg(fd, messages.data() + done, static_cast<unsigned>(want - done), 0);
            if (result < 0 && errno != ENOBUFS && errno != EINTR) return -1;
            if (result > 0) done += static_cast<std::size_t>(result);
        }
        sent += want;
    }
    words.word(kSent) = sent;
    words.word(kEligible) = eligible;
    return now - begin;
}

void on_alarm(int) {}

/// Sends by the XDP program until the time is over; the time it took, s.
double send_frames(const Load& load, double seconds, int program) {
    struct sigaction action {};
    action.sa_handler = on_alarm;
    sigaction(SIGALRM, &action, nullptr);
    itimerval timer{};
    timer.it_value.tv_sec = static_cast<time_t>(seconds);
    timer.it_value.tv_usec =
        static_cast<suseconds_t>((seconds - static_cast<double>(timer.it_value.tv_sec)) * 1e6);
    // Again and again, in case that a signal comes between this and the system call.
    timer.it_interval.tv_usec = 50'000;
    const double begin = now_s();
    setitimer(ITIMER_REAL, &timer, nullptr);
    const bool good = run_live_frames(program, load.frame, load.interface_index, load.batch);
    const double took = now_s() - begin;
    const itimerval off{};
    setitimer(ITIMER_REAL, &off, nullptr);
    if (!good) std::perror("frame_load: live frames");
    return good ? took : -1;
}

std::uint64_t interface_drops(const std::string& interface) {
    std::ifstream file("/sys/class/net/" + interface + "/statistics/tx_dropped");
    std::uint64_t drops = 0;
    file >> drops;
    return drops;
}

std::optional<MacAddress> parse_mac(const std::string& text) {
    MacAddress mac{};
    std::array<unsigned, 6> bytes{};
    if (std::sscanf(text.c_str(), "%2x:%2x:%2x:%2x:%2x:%2x", &bytes[0], &bytes[1], &bytes[2],
                    &bytes[3], &bytes[4], &bytes[5]) != 6) {
        return std::nullopt;
    }
    std::transform(bytes.begin(), bytes.end(), mac.begin(),
                   [](unsigned byte) { return static_cast<std::uint8_t>(byte); });
    return mac;
}

std::optional<std::uint32_t> parse_ipv4(const std::string& text) {
    in_addr address{};
    if (inet_pton(AF_INET, text.c_str(), &address) != 1) return std::nullopt;
    return ntohl(address.s_addr);
}

std::optional<SymmetricKey> parse_key(const Arguments& arguments) {
    const std::string text = arguments.text("key", "");
    const std::size_t colon = text.find(':');
    if (colon == std::string::npos) return std::nullopt;
    const std::optional<KeyType> type = parse_key_type(text.substr(0, colon));
    std::vector<std::uint8_t> secret;
    for (std::size_t i = colon + 1; i + 1 < text.size(); i += 2) {
        secret.push_back(
            static_cast<std::uint8_t>(std::strtoul(text.substr(i, 2).c_str(), nullptr, 16)));
    }
    if (!type || !is_supported(*type)) return std::nullopt;
    if (required_key_size(*type) != 0 && required_key_size(*type) != secret.size()) {
        return std::nullopt;
    }
    return SymmetricKey(static_cast<std::uint32_t>(arguments.number("key-id", 1)), *type, secret);
}

std::optional<Load> parse_load(const Arguments& arguments) {
    Load load;
    RequestOptions request;
    const auto mac = parse_mac(arguments.text("server-mac", ""));
    const auto server = parse_ipv4(arguments.text("server", ""));
    const auto first = parse_ipv4(arguments.text("first-client", "10.128.0.0"));
    const std::optional<SymmetricKey> key = parse_key(arguments);
    load.interface_index =
        static_cast<int>(if_nametoindex(arguments.text("interface", "eth0").c_str()));
    if (!mac || !server || !first || load.interface_index == 0) return std::nullopt;
    if (!arguments.text("key", "").empty() && !key) return std::nullopt;
    request.server_mac = *mac;
    request.server = *server;
    request.first_client = load.first_client = *first;
    request.key = key ? &*key : nullptr;
    load.frame = make_request(request);
    load.sum = header_sum(load.frame);
    load.clients =
        std::clamp(static_cast<std::uint32_t>(arguments.number("clients", 64)), 2u, 1u << 22);
    load.interleaved = arguments.flag("interleaved");
    load.rate = arguments.number("rate", 0);
    load.seconds = std::clamp(arguments.number("seconds", 1), 0.01, 600.0);
    load.warm_seconds = std::clamp(arguments.number("warm-seconds", 0), 0.0, 600.0);
    load.warm_rate = arguments.number("warm-rate", 0);
    load.batch = static_cast<unsigned>(arguments.number("batch", 64));
    return load;
}

/// Until no more answers come, or for `most_s`.
void drain(const SharedArray& words, double most_s) {
    const double begin = now_s();
    std::uint64_t seen = words.word(kAnswered);
    double last = begin;
    while (now_s() - begin < most_s && now_s() - last < 0.03) {
        const timespec pause{0, 5'000'000};
        nanosleep(&pause, nullptr);
        if (words.word(kAnswered) != seen) last = now_s();
        seen = words.word(kAnswered);
    }
}

int fail(const char* what) {
    std::fprintf(stderr, "frame_load: %s: %s\n", what, std::strerror(errno));
    return 1;
}

int run(const Arguments& arguments) {
    const std::optional<Load> load = parse_load(arguments);
    if (!load) {
        std::fprintf(stderr, "frame_load: interface, server, server-mac or key is wrong\n");
        return 2;
    }
    const SharedArray words(1, 8 * kWords);
    const SharedArray stamps(load->clients, 16);
    if (!words.ok() || !stamps.ok()) return fail("maps");
    const FileDescriptor recorder = load_recorder(*load, words, stamps);
    if (!recorder.is_open()) return fail("the recorder of answers");
    const FileDescriptor listener = packet_socket(load->interface_index, ETH_P_IP, recorder.get());
    if (!listener.is_open()) return fail("packet socket");

    const FileDescriptor sender = packet_socket(load->interface_index, 0, -1);
    if (!sender.is_open()) return fail("packet socket");

    const double patience_s = arguments.number("drain-ms", 100) * 1e-3;
    const auto send = [&](double rate, double seconds, bool frames) {
        if (!frames) return send_packets(*load, rate, seconds, sender.get(), words, stamps);
        const FileDescriptor program = load_sender(*load, words, stamps);
        return program.is_open() ? send_frames(*load, seconds, program.get()) : -1.0;
    };
    if (load->warm_seconds > 0) {
        const double end = now_s() + load->warm_seconds;
        while (now_s() < end && words.word(kAnswered) < std::uint64_t{3} * load->clients) {
            send(load->warm_rate, 0.25, load->warm_rate <= 0);
        }
        drain(words, patience_s);
        for (std::size_t i = 0; i < kWords; ++i) words.word(i) = 0;
    }
    const std::string interface = arguments.text("interface", "eth0");
    const std::uint64_t drops = interface_drops(interface);
    const double took =
        send(load->rate, load->seconds, arguments.text("via", "packets") == "frames");
    if (took < 0) return fail("sending");
    const std::uint64_t answered_meanwhile = words.word(kAnswered);
    drain(words, patience_s);
    const auto word = [&](Word which) {
        return static_cast<unsigned long long>(words.word(which));
    };
    std::printf(
        "{\"sent\":%llu,\"eligible\":%llu,\"answered\":%llu,\"interleaved\":%llu,\"missed\":%llu,"
        "\"kod\":%llu,"
        "\"answered_meanwhile\":%llu,\"dropped\":%llu,\"seconds\":%.6f}\n",
        word(kSent), word(kEligible), word(kAnswered), word(kInterleaved), word(kMissed),
        word(kKod), static_cast<unsigned long long>(answered_meanwhile),
        static_cast<unsigned long long>(interface_drops(interface) - drops), took);
    return 0;
}

}  // namespace
}  // namespace gnomon::bench

int main(int argc, char** argv) { return gnomon::bench::run(gnomon::bench::Arguments(argc, argv)); }
