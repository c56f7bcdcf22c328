/* An NTP server whose clock is a PTP hardware clock: in the guest, that of the test NIC that shows the
 * truth. It has no servo and no state but the last exchange of each client, so that what a client is off
 * by is the client's.
 *
 *   truth-server [-i INTERFACE] [-l LEAP] [-s STRATUM] /dev/ptpN
 *
 * -i takes hardware stamps of that interface, whose clock /dev/ptpN must be; without it, the kernel's
 * stamps are converted. -l: a leap second is inserted at the end of this time of day in seconds since 1970
 * (of the PHC, which goes on counting): announced before it, and repeated in what is served. Basic and
 * interleaved mode, IPv4. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <linux/ptp_clock.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NS 1000000000LL
#define CLIENTS 8
/* Ethernet, IPv4 and UDP headers and the check sequence of a frame. */
#define HEADERS (14 + 20 + 8 + 4)

struct ntp_packet {
    uint8_t mode, stratum, poll, precision;
    uint32_t root_delay, root_dispersion, reference_id;
    uint64_t reference, originate, receive, transmit;
};

struct client {
    struct sockaddr_in address;
    uint64_t receive, transmit; /* as sent, and as stamped, of the last response */
};

static int phc;
static const char* interface;
static int64_t leap_ns;
static int stratum = 1;

static void fail(const char* what) {
    perror(what);
    exit(1);
}

static int64_t ns_of(const struct timespec* ts) {
    return ts->tv_sec * NS + ts->tv_nsec;
}

static int64_t now(void) {
    struct timespec ts;
    /* FD_TO_CLOCKID of the kernel's documentation */
    if (clock_gettime((clockid_t)(~(unsigned int)phc << 3 | 3), &ts) != 0)
        fail("clock_gettime");
    return ns_of(&ts);
}

/* A stamp of CLOCK_REALTIME on the PHC: the pair of readings that took least says how. */
static int64_t from_system(int64_t stamp) {
    struct ptp_sys_offset_extended offsets = {.n_samples = 5};
    int64_t best = INT64_MAX, difference = 0;
    if (ioctl(phc, PTP_SYS_OFFSET_EXTENDED, &offsets) != 0)
        fail("PTP_SYS_OFFSET_EXTENDED");
    for (unsigned i = 0; i < offsets.n_samples; i++) {
        int64_t t[3];
        for (int k = 0; k < 3; k++)
            t[k] = offsets.ts[i][k].sec * NS + offsets.ts[i][k].nsec;
        if (t[2] - t[0] < best) {
            best = t[2] - t[0];
            difference = t[1] - (t[0] + t[2]) / 2;
        }
    }
    return stamp + difference;
}

static int64_t served(int64_t ns) {
    return leap_ns != 0 && ns >= leap_ns ? ns - NS : ns;
}

static uint64_t ntp_time(int64_t ns) {
    ns = served(ns);
    uint64_t fraction = (uint64_t)(((unsigned __int128)(ns % NS) << 32) / NS);
    return htobe64((uint64_t)(ns / NS + 2208988800LL) << 32 | fraction);
}

static int leap_bits(int64_t ns) {
    return leap_ns != 0 && ns < leap_ns && ns > leap_ns - 86400 * NS ? 1 : 0;
}

/* The hardware's stamp of a message, or else the kernel's converted; 0: none. */
static int64_t stamp_of(struct msghdr* message) {
    for (struct cmsghdr* c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
        struct scm_timestamping stamps;
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPING)
            continue;
        memcpy(&stamps, CMSG_DATA(c), sizeof stamps);
        if (interface != NULL)
            return stamps.ts[2].tv_sec != 0 ? ns_of(&stamps.ts[2]) : 0;
        return stamps.ts[0].tv_sec != 0 ? from_system(ns_of(&stamps.ts[0])) : 0;
    }
    return 0;
}

static ssize_t receive(int s, void* data, size_t size, struct sockaddr_in* from, int flags, int64_t* stamp) {
    char control[512];
    struct iovec vector = {data, size};
    struct msghdr message = {.msg_name = from, .msg_namelen = from ? sizeof *from : 0, .msg_iov = &vector,
                             .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    ssize_t got = recvmsg(s, &message, flags);
    *stamp = got >= 0 ? stamp_of(&message) : 0;
    return got;
}

static int64_t transmit_stamp(int s) {
    char data[256];
    int64_t stamp = 0;
    for (int tries = 0; tries < 20; tries++) {
        struct pollfd wait = {.fd = s};
        if (receive(s, data, sizeof data, NULL, MSG_ERRQUEUE | MSG_DONTWAIT, &stamp) >= 0 && stamp != 0)
            break;
        poll(&wait, 1, 1);
    }
    return stamp;
}

static int open_socket(void) {
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(123)};
    int flags = interface != NULL ? SOF_TIMESTAMPING_TX_HARDWARE | SOF_TIMESTAMPING_RX_HARDWARE |
                                        SOF_TIMESTAMPING_RAW_HARDWARE
                                  : SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_RX_SOFTWARE |
                                        SOF_TIMESTAMPING_SOFTWARE;
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    if (s < 0 || bind(s, (struct sockaddr*)&any, sizeof any) != 0)
        fail("port 123");
    if (interface != NULL) {
        struct hwtstamp_config config = {.tx_type = HWTSTAMP_TX_ON, .rx_filter = HWTSTAMP_FILTER_ALL};
        struct ifreq request = {.ifr_data = (char*)&config};
        snprintf(request.ifr_name, sizeof request.ifr_name, "%s", interface);
        if (ioctl(s, SIOCSHWTSTAMP, &request) != 0)
            fail(interface);
    }
    if (setsockopt(s, SOL_SOCKET, SO_TIMESTAMPING, &flags, sizeof flags) != 0)
        fail("SO_TIMESTAMPING");
    return s;
}

static struct client* find(struct client* clients, const struct sockaddr_in* from) {
    static unsigned next;
    for (int i = 0; i < CLIENTS; i++)
        if (clients[i].address.sin_addr.s_addr == from->sin_addr.s_addr)
            return &clients[i];
    struct client* client = &clients[next++ % CLIENTS];
    *client = (struct client){.address = *from};
    return client;
}

static void answer(int s, const struct ntp_packet* request, struct client* client, struct sockaddr_in* from,
                   int64_t received) {
    struct ntp_packet reply = {
        .mode = (uint8_t)(leap_bits(received) << 6 | (request->mode & 0x38) | 4), .stratum = (uint8_t)stratum,
        .poll = request->poll, .precision = (uint8_t)-30, .reference_id = htonl(0x56544c52),
        .reference = ntp_time(received), .receive = ntp_time(received)};
    bool interleaved = client->transmit != 0 && request->originate == client->receive &&
                       request->receive != request->transmit;
    reply.originate = interleaved ? request->receive : request->transmit;
    reply.transmit = interleaved ? client->transmit : ntp_time(now());
    client->receive = reply.receive;
    client->transmit = 0;
    if (sendto(s, &reply, sizeof reply, 0, (struct sockaddr*)from, sizeof *from) != sizeof reply)
        return;
    int64_t sent = transmit_stamp(s);
    if (sent != 0)
        client->transmit = ntp_time(sent);
}

int main(int argc, char** argv) {
    struct client clients[CLIENTS] = {0};
    int option;
    while ((option = getopt(argc, argv, "i:l:s:")) != -1) {
        if (option == 'i')
            interface = optarg;
        else if (option == 'l')
            leap_ns = atoll(optarg) * NS;
        else if (option == 's')
            stratum = atoi(optarg);
        else
            return 2;
    }
    if (optind + 1 != argc)
        return 2;
    /* RDWR: the kernel lets no reader of a PHC ask for pins and stamps otherwise. */
    phc = open(argv[optind], O_RDWR);
    if (phc < 0)
        fail(argv[optind]);
    int s = open_socket();
    for (;;) {
        struct ntp_packet request;
        struct sockaddr_in from;
        int64_t stamp;
        ssize_t got = receive(s, &request, sizeof request, &from, 0, &stamp);
        if (got < (ssize_t)sizeof request || (request.mode & 7) != 3)
            continue;
        if (stamp == 0)
            stamp = now();
        else if (interface != NULL)
            /* Of the beginning of the frame; NTP wants its end. A gigabit per second. */
            stamp += (HEADERS + got) * 8;
        answer(s, &request, find(clients, &from), &from, stamp);
    }
}
