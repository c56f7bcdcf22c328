#!/usr/bin/env python3
"""gnomon-mgmtd with a real gnomond on loopback: metrics, API, events, history, hostile peers, slow readers."""
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

import mgmtd_lab
from mgmtd_lab import Lab, wait_for

HERE = pathlib.Path(__file__).resolve().parent


def parse_families(text):
    """{sample name: (type, {label names})} of an exposition."""
    types, samples = {}, {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            types[name] = kind
        elif line and not line.startswith("#"):
            name = line.split("{")[0].split(" ")[0]
            labels = set()
            if "{" in line:
                inside = line[line.index("{") + 1:line.rindex("}")]
                labels = {part.split("=")[0] for part in inside.split('",')}
            samples.setdefault(name, set()).update(labels)
    return types, samples


def test_exporter_metrics_are_all_there():
    with Lab() as lab:
        lab.start_all()
        # Somebody asks, so that there is a client to count.
        subprocess.run([mgmtd_lab.GNOMOND, "-Q", "-t", "5", "-U",
                        f"server 127.0.0.1 port {lab.serve_port} iburst maxsamples 1", "cmdport 0"],
                       capture_output=True, timeout=20)
        wait_for(lambda: 'chrony_clients_connected{protocol="ntp"}' in lab.metrics() and
                 lab.metrics()['chrony_clients_connected{protocol="ntp"}'] >= 1, 10, "a client")
        text = lab.request("/metrics")[2].decode()
        types, samples = parse_families(text)
        for line in (HERE / "exporter_metrics.txt").read_text().splitlines():
            if line.startswith("#"):
                continue
            name, kind, labels = (line.split(" ") + [""])[:3]
            assert types.get(name) == kind, (name, types.get(name), kind)
            shown = samples.get(name if kind != "histogram" else name + "_bucket", set())
            wanted = set(labels.split(",")) - {""} | ({"le"} if kind == "histogram" else set())
            assert shown == wanted, (name, shown, wanted)
        # The same values as chronyc's, signs included.
        def agree():
            # Both are of some second, and that need not be the same one.
            values = lab.metrics()
            tracking = lab.command("tracking").strip().split(",")
            info = 'chrony_tracking_info{tracking_address="%s",tracking_name="%s",tracking_refid="%s"}'
            return (values["chrony_tracking_stratum"] == float(tracking[2]) and
                    abs(values["chrony_tracking_frequency_ppms"] - float(tracking[7])) < 0.001 and
                    abs(values["chrony_tracking_last_offset_seconds"] - float(tracking[5])) < 1e-9 and
                    values.get(info % (tracking[1], tracking[1], tracking[0])) == 1)
        wait_for(agree, 20, "the same values as chronyc's")
        values = lab.metrics()
        source = 'source_address="127.0.0.1",source_name="127.0.0.1"'
        assert values["chrony_sources_reachability_ratio{%s}" % source] > 0
        assert values["chrony_sources_polling_interval_seconds{%s}" % source] == 1
        if shutil.which("promtool"):
            check = subprocess.run(["promtool", "check", "metrics"], input=text, text=True,
                                   capture_output=True)
            # Lint complains of the exporter's names, which are what they are.
            ours = [line for line in (check.stdout + check.stderr).splitlines()
                    if line and not line.startswith("chrony_")]
            assert not ours, ours


def test_openmetrics_by_accept_header():
    with Lab(sources=1) as lab:
        lab.start_all()
        _, headers, body = lab.request("/metrics", {"Accept": "application/openmetrics-text; version=1.0.0"})
        text = body.decode()
        assert headers["Content-Type"].startswith("application/openmetrics-text"), headers
        assert text.endswith("# EOF\n")
        assert "# TYPE chrony_serverstats_ntp_packets_received counter" in text
        assert "\nchrony_serverstats_ntp_packets_received_total " in text
        assert 'gnomon_loop_busy_seconds_bucket{le="+Inf"}' in text


def check_schema(schema, value, document, where):
    """As much of JSON Schema as openapi.json uses."""
    if "$ref" in schema:
        node = document
        for part in schema["$ref"].lstrip("#/").split("/"):
            node = node[part]
        return check_schema(node, value, document, where)
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    names = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}
    def fits(kind):
        if kind == "number":
            return isinstance(value, (int, float)) and not isinstance(value, bool)
        if kind == "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        return isinstance(value, names[kind])
    assert not kinds or any(fits(kind) for kind in kinds), (where, kinds, value)
    assert "enum" not in schema or value in schema["enum"], (where, value)
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        for name in schema.get("required", []):
            assert name in value, (where, "lacks", name)
        for name, item in value.items():
            assert name in properties, (where, "is not in the document", name)
            check_schema(properties[name], item, document, f"{where}.{name}")
    if isinstance(value, list):
        for i, item in enumerate(value):
            check_schema(schema.get("items", {}), item, document, f"{where}[{i}]")
    return None


def test_every_report_is_as_the_document_says():
    with Lab() as lab:
        lab.start_all()
        time.sleep(2)
        document = lab.get("/api/v1/openapi.json")
        checked = 0
        for path, item in document["paths"].items():
            content = item["get"]["responses"]["200"].get("content", {})
            schema = content.get("application/json", {}).get("schema")
            if schema is None or path.endswith("openapi.json"):
                continue
            check_schema(schema, lab.get(path), document, path)
            checked += 1
        assert checked >= 18, checked
        assert len(lab.get("/api/v1/sources")["sources"]) == 3
        state = lab.get("/api/v1/state")
        assert state["fresh"] and state["state"]["state"] == "LOCKED", state
        assert 0 < state["state"]["bound_s"] < 0.1
        selection = lab.get("/api/v1/selection")["selection"]
        assert sum(s["letter"] == "*" for s in selection) == 1, selection
        assert all(s["explanation"] for s in selection)
        assert lab.status("/api/v1/nothing") == 404


def read_events(lab, seconds):
    """[(event, data)] of the stream during that time."""
    connection = socket.create_connection(("127.0.0.1", lab.http_port), timeout=5)
    connection.sendall(b"GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
    connection.settimeout(0.2)
    raw, end = b"", time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            raw += connection.recv(65536)
        except TimeoutError:
            pass
    connection.close()
    head, _, body = raw.partition(b"\r\n\r\n")
    assert b"200 OK" in head and b"text/event-stream" in head, head
    text = b""
    while body:  # chunked
        size, _, body = body.partition(b"\r\n")
        count = int(size, 16)
        if count == 0 or len(body) < count:
            break
        text, body = text + body[:count], body[count + 2:]
    events = []
    for block in text.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line and line[0] != ":")
        if "event" in fields:
            events.append((fields["event"], json.loads(fields["data"])))
    return events


def test_stream_tells_snapshots_measurements_and_changes():
    with Lab() as lab:
        lab.start_all()
        events = read_events(lab, 4)
        kinds = [kind for kind, _ in events]
        assert kinds[:2] == ["daemon", "snapshot"], kinds
        assert kinds.count("snapshot") >= 3 and kinds.count("measurement") >= 3, kinds
        assert events[1][1]["state"]["state"] == "LOCKED"
        measured = next(data for kind, data in events if kind == "measurement")
        assert measured["source"].startswith("127.0.0.") and measured["valid"] is True
        recorded = lab.get("/api/v1/events")["events"]
        assert {"state", "selection", "restart"} <= {e["kind"] for e in recorded}, recorded
        assert [e["id"] for e in recorded] == sorted(e["id"] for e in recorded)


def test_history_survives_kill_and_corruption():
    with Lab() as lab:
        lab.start_all()
        time.sleep(13)
        def known():
            answer = lab.get("/api/v1/history?metric=bound,source.offset&points=9999")
            series = {(s["metric"], s["source"]): s for s in answer["series"]}
            bound = series[("bound", None)]["mean"]
            return [answer["from_s"] + i * answer["step_s"] for i, v in enumerate(bound) if v is not None], series
        seconds, series = known()
        assert len(seconds) >= 11, seconds
        assert len([k for k in series if k[0] == "source.offset"]) == 3, series.keys()
        _, headers, csv = lab.request("/api/v1/history.csv?metric=frequency&points=9999")
        assert headers["Content-Type"].startswith("text/csv")
        assert csv.decode().splitlines()[0] == "time_s,metric,source,mean,min,max"
        assert len(csv.decode().splitlines()) > 10
        for bad in ("metric=nonsense", "from=5&to=4", "metric=bound&from=nan&to=inf"):
            assert lab.status("/api/v1/history?" + bad) == 400, bad

        ids = [e["id"] for e in lab.get("/api/v1/events")["events"]]
        lab.stop("mgmtd", signal.SIGKILL)
        lab.start("mgmtd")
        wait_for(lambda: lab.status("/readyz") == 200, 10, "ready again")
        time.sleep(2)
        again, _ = known()
        # What was not written yet is lost: ten seconds at most.
        assert len(set(seconds) - set(again)) <= 11, (seconds, again)
        assert set(seconds) & set(again), (seconds, again)
        after = [e["id"] for e in lab.get("/api/v1/events")["events"]]
        assert len(after) == len(set(after)) and set(ids) <= set(after), (ids, after)

        lab.stop("mgmtd")
        again_before = lab.history.read_bytes()
        assert again_before[:6] == b"SQLite"
        lab.history.write_bytes(b"this is no database at all" * 100)
        lab.start("mgmtd")
        wait_for(lambda: lab.status("/readyz") == 200, 10, "ready with a new history")
        assert "cannot be read" in lab.log("mgmtd")
        assert list(lab.history.parent.glob("history.db.corrupt-*"))
        wait_for(lambda: known()[0], 5, "new samples")


def test_full_disk_stops_the_history_and_nothing_else():
    with Lab() as lab:
        lab.start("upstream")
        lab.start("client")
        lab.history.parent.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "none", lab.history.parent],
                                 capture_output=True).returncode == 0
        if not mounted:
            print("        (cannot mount a small file system here)")
            return
        try:
            (lab.history.parent / "ballast").write_bytes(b"x" * 1000)
            lab.start("mgmtd")
            wait_for(lambda: lab.status("/readyz") == 200, 20, "ready")
            wait_for(lambda: lab.metrics()["gnomon_mgmtd_history_errors_total"] >= 1, 60, "a full disk")
            assert lab.status("/api/v1/state") == 200
            assert lab.status("/api/v1/history?metric=bound") == 200
            assert "cannot be written" in lab.log("mgmtd")
        finally:
            lab.stop("mgmtd")
            subprocess.run(["umount", "-l", lab.history.parent], check=False)


def test_gnomond_may_be_absent_and_restarted():
    with Lab(sources=1) as lab:
        lab.start("mgmtd")
        wait_for(lambda: lab.status("/healthz") == 200, 5, "serving")
        assert lab.status("/readyz") == 503
        assert lab.status("/api/v1/state") == 503
        assert lab.metrics()["chrony_up"] == 0
        lab.start("upstream")
        lab.start("client")
        wait_for(lambda: lab.status("/readyz") == 200, 20, "ready")
        assert lab.metrics()["chrony_up"] == 1
        lab.stop("client", signal.SIGKILL)
        wait_for(lambda: lab.status("/readyz") == 503, 3, "not ready without gnomond")
        assert lab.metrics()["chrony_up"] == 0
        lab.start("client")
        wait_for(lambda: lab.status("/readyz") == 200, 20, "ready again")
        restarts = [e for e in lab.get("/api/v1/events")["events"] if e["kind"] == "restart"]
        assert len(restarts) == 2, restarts


def test_hostile_peers():
    with Lab(sources=1) as lab:
        lab.start_all()
        for path in ("/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "//etc/passwd", "/api/v1/../../x",
                     "/openapi.json/", "/%00", "/index.html%00.js"):
            status, _, body = lab.request(path)
            assert status == 404 and b"root:" not in body, (path, status)
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE"):
            status, headers, _ = lab.request("/metrics", method=method)
            assert status == 405 and headers["Allow"] == "GET, HEAD", (method, status)
        assert lab.request("/metrics", method="HEAD")[0] == 200
        assert lab.request("/metrics", {"Host": "evil.example"})[0] == 421
        _, headers, _ = lab.request("/healthz")
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"

        huge = socket.create_connection(("127.0.0.1", lab.http_port), timeout=5)
        try:
            huge.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 200_000 + b"\r\n\r\n")
            answer = huge.recv(100)
        except OSError:
            answer = b""
        assert not answer or b" 4" in answer[:20], answer
        huge.close()

        # Slowloris, from many addresses: headers that never end.
        slow = []
        for i in range(150):
            s = socket.socket()
            s.bind((f"127.0.1.{1 + i % 50}", 0))
            s.connect(("127.0.0.1", lab.http_port))
            s.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-A: ")
            slow.append(s)
        began = time.monotonic()
        assert lab.request("/healthz", source="127.0.2.1")[0] == 200
        assert time.monotonic() - began < 1.0
        for _ in range(13):
            for s in slow:
                try:
                    s.sendall(b"b")
                except OSError:
                    pass
            time.sleep(1)
        closed = 0
        for s in slow:
            s.settimeout(0.1)
            try:
                while s.recv(4096):
                    pass
                closed += 1
            except TimeoutError:
                pass
            except OSError:
                closed += 1
            s.close()
        assert closed == len(slow), f"{closed} of {len(slow)} were ended"

        # Many connections: as many as this test may open.
        many = []
        try:
            for i in range(10_000):
                s = socket.socket()
                s.setblocking(False)
                s.bind((f"127.3.{i // 200}.{1 + i % 200}", 0))
                s.connect_ex(("127.0.0.1", lab.http_port))
                many.append(s)
        except OSError:
            pass
        time.sleep(1)
        assert lab.processes["mgmtd"].poll() is None
        resident = int(pathlib.Path(f"/proc/{lab.processes['mgmtd'].pid}/statm").read_text().split()[1]) * 4096
        count = len(many)
        for s in many:
            s.close()
        wait_for(lambda: lab.status("/healthz") == 200, 30, "serving after many connections")
        print(f"        {count} connections: resident {resident / 1e6:.1f} MB")
        assert resident < 60e6
        assert lab.command("tracking")


def loop_figures(lab):
    values = lab.metrics()
    return {name: values[f"gnomon_loop_{name}"] for name in
            ("busy_seconds_sum", "busy_seconds_count", "late_seconds_sum", "late_seconds_count")}


def test_stopped_and_deaf_readers_do_not_move_gnomond():
    # Twenty sources fill the buffer of a reader in seconds.
    with Lab(sources=20) as lab:
        lab.start_all()
        def mean_us(before, after, what):
            count = after[f"{what}_seconds_count"] - before[f"{what}_seconds_count"]
            return 1e6 * (after[f"{what}_seconds_sum"] - before[f"{what}_seconds_sum"]) / max(count, 1)
        first = loop_figures(lab)
        time.sleep(15)
        second = loop_figures(lab)
        deaf = []
        for _ in range(5):
            s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            s.connect(str(lab.telemetry))
            deaf.append(s)
        other = lab.start("mgmtd-other")
        time.sleep(1)
        other.send_signal(signal.SIGSTOP)
        third = loop_figures(lab)
        time.sleep(62)
        fourth = loop_figures(lab)
        values = lab.metrics()
        assert values["gnomon_telemetry_frames_dropped_total"] > 0
        assert values["gnomon_telemetry_readers_dropped_total"] >= 5, values["gnomon_telemetry_readers_dropped_total"]
        print(f"        turn: {mean_us(first, second, 'busy'):.1f} µs before, "
              f"{mean_us(third, fourth, 'busy'):.1f} µs with deaf readers; late: "
              f"{mean_us(first, second, 'late'):.1f} and {mean_us(third, fourth, 'late'):.1f} µs")
        assert mean_us(third, fourth, "busy") < 3 * mean_us(first, second, "busy") + 200
        other.send_signal(signal.SIGCONT)
        for s in deaf:
            s.close()
        # And a stream client over HTTP that never reads.
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        s.connect(("127.0.0.1", lab.http_port))
        s.sendall(b"GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
        time.sleep(3)
        assert lab.status("/readyz") == 200
        s.close()


if __name__ == "__main__":
    mgmtd_lab.main([
        test_exporter_metrics_are_all_there, test_openmetrics_by_accept_header,
        test_every_report_is_as_the_document_says, test_stream_tells_snapshots_measurements_and_changes,
        test_history_survives_kill_and_corruption, test_full_disk_stops_the_history_and_nothing_else,
        test_gnomond_may_be_absent_and_restarted, test_hostile_peers,
        test_stopped_and_deaf_readers_do_not_move_gnomond,
    ])
