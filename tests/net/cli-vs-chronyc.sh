#!/bin/bash
# Compares gnomonc with chronyc byte for byte: what they print, their exit status, and the requests
# they send. Usage: cli-vs-chronyc.sh PATH/TO/gnomonc
#
# chronyd and chronyc are taken from $CHRONY_BIN (a directory) or from PATH. Two daemons run on
# loopback with -x: nothing steers the clock. Reports change between two runs of a client, so both
# talk to a relay that gives the second one the replies of the first.

set -u

GNOMONC=${1:?usage: $0 PATH/TO/gnomonc}
CHRONY_BIN=${CHRONY_BIN:-}
export PATH="${CHRONY_BIN:+$CHRONY_BIN:}$PATH:/usr/sbin:/sbin"
export LC_ALL=C TZ=UTC

skip() { echo "SKIP: $1"; exit 0; }
[ "$(id -u)" = 0 ] || skip "chronyd needs root"
CHRONYD=$(command -v chronyd) || skip "no chronyd"
CHRONYC=$(command -v chronyc) || skip "no chronyc"
command -v python3 >/dev/null || skip "no python3 for the relay"

DIR=$(mktemp -d)
RUN=$DIR/run
mkdir -m 0770 "$RUN"
NTP_PORT=$((20000 + RANDOM % 10000))
COMMAND_PORT=$((NTP_PORT + 1))
SERVER_PORT=$((NTP_PORT + 2))
RELAY_PORT=$((NTP_PORT + 3))
CLOSED_PORT=$((NTP_PORT + 4))
PIDS=()

finish() {
    for pid in "${PIDS[@]}"; do kill "$pid" 2>/dev/null; done
    wait 2>/dev/null
    rm -rf "$DIR"
}
trap finish EXIT

cat > "$DIR/keys" <<END
1 SHA1 HEX:1DC764E0791B11FA67EFC7ECBC4B0D73F68A070C
END
chmod 600 "$DIR/keys"
cat > "$DIR/server.conf" <<END
local stratum 1
allow
port $SERVER_PORT
cmdport 0
bindcmdaddress /
pidfile $DIR/server.pid
keyfile $DIR/keys
END
cat > "$DIR/client.conf" <<END
server 127.0.0.1 port $SERVER_PORT iburst minpoll 0 maxpoll 0
server 127.0.0.2 port $SERVER_PORT iburst minpoll 1 xleave key 1 prefer require
server 127.0.0.3 port $SERVER_PORT iburst minpoll 2 noselect trust
server 127.0.0.4 port $SERVER_PORT offline
peer 127.0.0.5 port $CLOSED_PORT minpoll 0
server name-without-an-address.invalid iburst
refclock SOCK $DIR/ref.sock refid TST poll 2
port $NTP_PORT
cmdport $COMMAND_PORT
bindcmdaddress $RUN/chronyd.sock
pidfile $DIR/client.pid
keyfile $DIR/keys
allow
manual
local stratum 10
smoothtime 400 0.01
END
"$CHRONYD" -x -d -u root -f "$DIR/server.conf" > "$DIR/server.log" 2>&1 & PIDS+=($!)
"$CHRONYD" -x -d -u root -f "$DIR/client.conf" > "$DIR/client.log" 2>&1 & PIDS+=($!)

cat > "$DIR/relay.py" <<'END'
import os, socket, sys
port, daemon, own, log = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
front.bind(("127.0.0.1", port))
back = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
back.bind(own)
os.chmod(own, 0o666)
back.connect(daemon)
cache = {}
while True:
    request, client = front.recvfrom(4096)
    if request == b"forget":
        cache.clear()
        open(log, "w").close()
        continue
    # Without attempt and sequence: the same question.
    key = request[:6] + request[12:]
    with open(log, "a") as file:
        file.write(key.hex() + "\n")
    if key not in cache:
        back.send(request)
        cache[key] = back.recv(4096)
    reply = cache[key]
    front.sendto(reply[:16] + request[8:12] + reply[20:], client)
END
for _ in $(seq 100); do [ -S "$RUN/chronyd.sock" ] && break; sleep 0.1; done
[ -S "$RUN/chronyd.sock" ] || { cat "$DIR/client.log"; skip "chronyd did not start"; }
python3 "$DIR/relay.py" "$RELAY_PORT" "$RUN/chronyd.sock" "$RUN/relay.sock" "$DIR/requests" &
PIDS+=($!)

# Some samples of the reference clock, then time for the NTP sources.
python3 - "$DIR/ref.sock" <<'END'
import socket, struct, sys, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
for i in range(24):
    now = time.time()
    sample = struct.pack("@qqdiiii", int(now), int(now % 1 * 1e6), 1e-5 * (i % 5), 0, 0, 0, 0x534f434b)
    try:
        s.sendto(sample, sys.argv[1])
    except OSError:
        pass
    time.sleep(0.25)
END

CHECKS=0
FAILED=0

forget() { printf forget > "/dev/udp/127.0.0.1/$RELAY_PORT"; sleep 0.05; }

# compare NAME OPTIONS... : both clients with the same arguments through the relay.
compare() {
    forget
    : > "$DIR/requests"
    "$CHRONYC" -h 127.0.0.1 -p "$RELAY_PORT" "$@" > "$DIR/want" 2> "$DIR/want.err" < /dev/null
    echo "exit $?" >> "$DIR/want"
    mv "$DIR/requests" "$DIR/want.requests"; : > "$DIR/requests"
    "$GNOMONC" -h 127.0.0.1 -p "$RELAY_PORT" "$@" > "$DIR/got" 2> "$DIR/got.err" < /dev/null
    echo "exit $?" >> "$DIR/got"
    judge "$*"
}

judge() {
    CHECKS=$((CHECKS + 1))
    local kind
    for kind in '' .err .requests; do
        [ "$kind" = .requests ] && mv "$DIR/requests" "$DIR/got.requests"
        if ! cmp -s "$DIR/want$kind" "$DIR/got$kind"; then
            echo "DIFFERENT: $1 ($kind)"
            diff "$DIR/want$kind" "$DIR/got$kind" | head -20
            FAILED=$((FAILED + 1))
        fi
    done
}

# direct NAME OPTIONS... : without the relay, for what does not change.
direct() {
    "$CHRONYC" "$@" > "$DIR/want" 2> "$DIR/want.err" < /dev/null; echo "exit $?" >> "$DIR/want"
    "$GNOMONC" "$@" > "$DIR/got" 2> "$DIR/got.err" < /dev/null; echo "exit $?" >> "$DIR/got"
    : > "$DIR/want.requests"; : > "$DIR/requests"
    judge "$*"
}

NEWER=0
"$CHRONYC" -h 127.0.0.1 -p "$RELAY_PORT" -w activity > /dev/null 2>&1 && NEWER=1

REPORTS="tracking|sources|sources -v|sources -a|sources -a -v|sourcestats|sourcestats -v|sourcestats -a
activity|clients|clients -k|clients -p 3|manual list|smoothing|rtcdata|serverstats|ntpdata
ntpdata 127.0.0.1|ntpdata 127.0.0.99|authdata|authdata -v|authdata -a|selectdata|selectdata -v
selectdata -a|sourcename 127.0.0.1|sourcename 127.0.0.99|sourcename ID#0000000001|waitsync 1
waitsync 1 0.1|waitsync 1 0 0.000001"
# Requests that the versions since 4.3 encode differently would compare versions, not programs.
OLD="serverstats|ntpdata|ntpdata 127.0.0.1|ntpdata 127.0.0.99|selectdata -v"
IFS=$'|\n'
for report in $REPORTS; do
    IFS=$' \t\n'
    if [ $NEWER = 0 ] && [[ "|$OLD|" == *"|$report|"* ]]; then continue; fi
    # shellcheck disable=SC2086
    for options in "" -n -N -c "-c -n" "-c -N"; do compare $options $report; done
    # shellcheck disable=SC2086
    if [ $NEWER = 1 ]; then
        for options in -e -w "-w -N"; do compare $options $report; done
    fi
done
IFS=$' \t\n'

while read -r line; do
    # shellcheck disable=SC2086
    compare -m "$line"
done <<END
online
offline 127.0.0.4
online 127.0.0.0/8
online 255.0.0.0/127.0.0.0
online 2001:db8::/33
online 1.2.3.4/::1
online 1.2.3/8
burst 1/2
burst 1/2 127.0.0.1
burst 2/3 255.255.255.0/127.0.0.0
burst x
minpoll 127.0.0.1 0
maxpoll 127.0.0.1 x
maxdelay 127.0.0.1 0.5
maxdelayratio 127.0.0.1 3
maxdelaydevratio 127.0.0.1 7.5
minstratum 127.0.0.1 1
polltarget 127.0.0.1 20
maxupdateskew 100.5
maxupdateskew x
makestep
makestep 0.1 3
makestep 0.1
manual on
manual off
manual reset
manual delete 0
manual delete x
manual nonsense
allow 10
allow 10.1/17
allow 192.0.2.1
allow 2001:db8::/32
allow all
allow all 172.16/12
allow 1.2.3.4.5
allow 300
allow 10/40
deny 10.1.2
deny all 10
cmdallow 127
cmddeny 127.0.0.9
cmdallow all
cmddeny all 10
accheck 127.0.0.1
cmdaccheck ::1
accheck nonsense..invalid
dump
cyclelogs
rekey
reselect
reselectdist 0.001
reselectdist
refresh
reload sources
reload
reset sources
reset
onoffline
dfreq 0.001
doffset -0.0001
dfreq x
writertc
trimrtc
smoothtime reset
smoothtime activate
smoothtime
timeout 50
timeout 500
retries 31
retries 1
dns -n
dns +x
authhash SHA1
nonsense
# comment
delete 127.0.0.99
delete
delete 127.0.0.6
END

if [ $NEWER = 1 ]; then
    while read -r line; do compare -m "$line"; done <<END
add server 127.0.0.6 port 123 minpoll 3 maxpoll 5 iburst offline
add pool 127.0.0.7 maxsources 2 nts ntsport 4460 certset 1 version 3 presend 5 copy xleave
add peer 127.0.0.8 key 7 mindelay 0.001 asymmetry 0.4 offset -0.001 maxdelay 0.5 filter 4
add server 127.0.0.9 minsamples 4 maxsamples 8 polltarget 10 minstratum 2 prefer trust noselect
add server 127.0.0.1 maxdelayratio 2 maxdelaydevratio 3 maxdelayquant 0.3 extfield F323
add server 127.0.0.10 minpoll
add server 127.0.0.10 nonsense
add nonsense
selectopts 127.0.0.1 +prefer -trust
selectopts TST +require +noselect
selectopts 127.0.0.1 prefer
selectopts 127.0.0.99 +prefer
offset 127.0.0.1 0.001
offset TST -0.5
offset TST x
local
local off
local stratum 5 orphan distance 0.5 activate 1 waitsynced 2
local stratum 16
add server 127.0.0.11 maxunreach 10 ipv4 extfield 10a
settime 16:30
settime 16:30:05
settime Nov 21, 2015 16:30:05
settime 2015-11-21 16:30:05
settime 11/21/2015 16:30
settime 21 Nov 2015 4:30 pm
settime Nov 21, 2015
settime 16:30 UTC
settime nonsense
END
    compare -m 'manual on' 'settime 16:30:05' 'manual list'
    compare -c -m 'manual on' 'settime 16:30:05' 'manual list'
fi
compare -m 'nonsense' 'activity'
compare -m 'activity' 'manual list' 'quit' 'tracking'
[ $NEWER = 1 ] && compare -e -m 'activity' 'manual list' 'quit' 'tracking'

for host in "$RUN/chronyd.sock" 127.0.0.1; do
    for report in activity 'sources -N' 'manual list' online 'ntpdata 127.0.0.99' shutdownx; do
        # shellcheck disable=SC2086
        direct -N -h $host -p "$COMMAND_PORT" $report 2> /dev/null
    done
done
direct -h "127.0.0.1" -p "$CLOSED_PORT" activity
direct -h "/nonexistent/sock,127.0.0.1" -p "$CLOSED_PORT" tracking
direct -h "/nonexistent/sock" tracking
direct -h "/nonexistent/sock,127.0.0.1" -p "$COMMAND_PORT" activity

echo "$CHECKS comparisons with $("$CHRONYC" -v | head -1), $FAILED differences"
[ $FAILED = 0 ]
